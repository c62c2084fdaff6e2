/* tiles_body.h: BODY of variants.h for tiles.c. */
#include "lanes.h"
#include "exp.h"
#include "softmax.h"

#define SQUARES 0
#include "floats.h"
#include "item_end.h"

/* The logits of a tile: those of no key, behind the last, are -infinity, so that their weights are 0. */
INLINE void
NAME(fill_tile) (const Problem *p, const Folded *f, ptrdiff_t first, int count)
{
	float	   *tile = f->tile;

	for (int row = 0; p->query != NULL && row < count; row += LANES)
	{
		const float *keys[LANES];

		for (int i = 0; i < LANES; i++)
			keys[i] = p->keys + (first + (row + i < count ? row + i : row)) * p->key_stride;
		NAME(all_heads_floats) (f->query, keys, LANES, p->heads, p->width, tile + row, TILE, NULL);
	}
	for (int h = 0; h < p->heads; h++)
	{
		for (int row = 0; p->logits != NULL && row < count; row++)
			tile[h * TILE + row] = (float) (p->logits[h * p->logit_stride + first + row] - f->shifts[h]);
		for (int row = count; row < TILE; row++)
			tile[h * TILE + row] = -INFINITY;
	}
}

INLINE NAME(vector)
NAME(weighted) (NAME(vector) sum, const float *const *values, const float *weights, ptrdiff_t at, ptrdiff_t some)
{
#pragma GCC unroll 4
	for (int k = 0; k < ROWS; k++)
		sum += weights[k] * (some == LANES ? LOAD_FLOATS(values[k] + at) : LOAD_SOME_FLOATS(values[k] + at, some));
	return sum;
}

/* Add ROWS values, by the weights of each head, to the sums. */
INLINE void
NAME(add_values) (const Problem *p, const float *const *values, const float *weights, float *sums)
{
	ptrdiff_t	at = 0;

	for (int h = 0; h < p->heads; h++)
	{
		const ptrdiff_t end = at + p->value_width;

		for (; at + LANES <= end; at += LANES)
		{
			NAME(vector) sum = NAME(weighted) (LOAD_FLOATS(sums + at), values, weights + h * TILE, at, LANES);

			NAME(store) (sums + at, sum, LANES);
		}
		if (at < end)
		{
			NAME(vector) sum =
				NAME(weighted) (LOAD_SOME_FLOATS(sums + at, end - at), values, weights + h * TILE, at, end - at);

			NAME(store) (sums + at, sum, end - at);
			at = end;
		}
	}
}

/* Fold the weights of a tile into the masses; a larger maximum shrinks what was summed under the old one. */
INLINE void
NAME(fold_head) (Folded *f, int head, ptrdiff_t value_width)
{
	float	   *tile = f->tile + head * TILE;
	const float most = NAME(maximum) (tile, TILE);
	const float before = f->maxima[head];

	if (most > before)
	{
		const double shift = exp((double) before - most);

		f->maxima[head] = most;
		f->masses[head] *= shift;
		for (ptrdiff_t at = head * value_width; at < (head + 1) * value_width; at++)
			f->totals[at] *= shift;
	}
	f->masses[head] += NAME(exponentials) (tile, TILE, f->maxima[head]);
}

TARGET static void
NAME(fold_tiles) (const Problem *p, Folded *f)
{
	const ptrdiff_t columns = p->heads * p->value_width;

	for (ptrdiff_t first = 0; first < p->rows; first += TILE)
	{
		const int	count = p->rows - first < TILE ? (int) (p->rows - first) : TILE;

		NAME(fill_tile) (p, f, first, count);
		for (int h = 0; h < p->heads; h++)
			NAME(fold_head) (f, h, p->value_width);
		memset(f->sums, 0, columns * sizeof(float));
		for (int row = 0; row < count; row += ROWS)
		{
			const float *values[ROWS];

			for (int k = 0; k < ROWS; k++)
				values[k] = p->values + (first + (row + k < count ? row + k : row)) * p->value_stride;
			NAME(add_values) (p, values, f->tile + row, f->sums);
		}
		for (ptrdiff_t at = 0; at < columns; at++)
			f->totals[at] += f->sums[at];
	}
}
