/* tiles_body.h: BODY of variants.h for tiles.c. */
#include "lanes.h"
#include "exp.h"
#include "softmax.h"

#define SQUARES 0
#define CACHED 1
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

/* To LANES sums at `where` the products of ROWS weights with what `load` takes from there of each value. */
#define ADD_COLUMNS(load, where, ...) \
	do { \
		NAME(vector) sum_ = LOAD_FLOATS(sums + (where)); \
		_Pragma("GCC unroll 8") \
		for (int k = 0; k < ROWS; k++) \
			sum_ += own[k] * load(values[k] + (where), ##__VA_ARGS__); \
		NAME(store) (sums + (where), sum_, LANES); \
	} while (0)

/* Add ROWS values, by the weights of each head, to the sums. 0 is added beside a head's own columns, and behind the last. */
INLINE void
NAME(add_values) (const Problem *p, const float *const *values, const float *weights, float *sums)
{
	const ptrdiff_t skew = NAME(skew) (values, ROWS, p->value_width);
	ptrdiff_t	at = 0;

	for (int h = 0; h < p->heads; h++)
	{
		const ptrdiff_t end = at + p->value_width;
		const ptrdiff_t before = NAME(before) (skew, at);
		NAME(vector) own[ROWS];

#pragma GCC unroll 8
		for (int k = 0; k < ROWS; k++)
			own[k] = (NAME(vector)) {0} + weights[h * TILE + k];
		if (before != 0)
		{
			ADD_COLUMNS(LOAD_LAST_FLOATS, at - before, LANES - before);
			at += LANES - before;
		}
		for (; at + LANES <= end; at += LANES)
			ADD_COLUMNS(LOAD_FLOATS, at);
		if (at < end)
			ADD_COLUMNS(LOAD_SOME_FLOATS, at, end - at);
		at = end;
	}
}

#undef ADD_COLUMNS

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

INLINE void
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

/* Take over the query, times its factor, in float32. False if a head's is longer than the limit, or has no length. */
INLINE int
NAME(take_query) (const Problem *p, float *query)
{
	for (int h = 0; h < p->heads; h++)
	{
		const ptrdiff_t end = (h + 1) * p->width;
		NAME(vector) squares = {0};

		for (ptrdiff_t at = h * p->width; at < end; at++)
			query[at] = (float) (p->query[at] * p->factor);
		for (ptrdiff_t at = h * p->width; at < end; at += LANES)
		{
			NAME(vector) part = NAME(load) (query + at, end - at < LANES ? end - at : LANES, 0);

			squares += part * part;
		}
		if (!(sqrt(NAME(total) (squares)) <= p->limit))
			return 0;
	}
	return 1;
}

/* The largest of so many logits. False if one is beyond the limit, or no number. */
INLINE int
NAME(take_maximum) (const double *logits, ptrdiff_t count, double limit, double *maximum)
{
	double		most[LANES];
	double		least[LANES];
	double		wrong[LANES] = {0};
	int			fine = 1;

	for (int i = 0; i < LANES; i++)
		most[i] = least[i] = logits[0];
	for (ptrdiff_t at = 0; at < count; at += LANES)
	{
		const ptrdiff_t first = at + LANES <= count || count < LANES ? at : count - LANES;
		const int	some = count < LANES ? (int) count : LANES;

		for (int i = 0; i < some; i++)
		{
			const double logit = logits[first + i];

			most[i] = logit > most[i] ? logit : most[i];
			least[i] = logit < least[i] ? logit : least[i];
			wrong[i] += logit * 0;
		}
	}
	*maximum = most[0];
	for (int i = 0; i < LANES; i++)
	{
		*maximum = most[i] > *maximum ? most[i] : *maximum;
		fine &= wrong[i] == 0 && most[i] <= limit && -least[i] <= limit;
	}
	return fine;
}

INLINE int
NAME(take_maxima) (const Problem *p, double *maxima)
{
	int			fine = 1;

	for (int h = 0; h < p->heads; h++)
		fine &= NAME(take_maximum) (p->logits + h * p->logit_stride, p->rows, p->limit, &maxima[h]);
	return fine;
}

/* False if a number is not finite. */
INLINE int
NAME(write_output) (const Problem *p, const Folded *f)
{
	const ptrdiff_t columns = p->heads * p->value_width;
	NAME(vector) wrong = {0};

	for (int h = 0; h < p->heads; h++)
	{
		const double share = 1 / f->masses[h];

		for (ptrdiff_t at = h * p->value_width; at < (h + 1) * p->value_width; at++)
			p->output[at] = (float) (f->totals[at] * share);
		p->lse[h] = f->shifts[h] + f->maxima[h] + log(f->masses[h]);
	}
	for (ptrdiff_t at = 0; at < columns; at += LANES)
		wrong += NAME(load) (p->output + at, columns - at < LANES ? columns - at : LANES, 0) * 0.0f;
	return NAME(total) (wrong) == 0;
}

/* False where that is no answer. */
TARGET static int
NAME(attend) (const Problem *p, Folded *f)
{
	if (!(p->query != NULL ? NAME(take_query) (p, f->query) : NAME(take_maxima) (p, f->shifts)))
		return 0;
	NAME(fold_tiles) (p, f);
	return NAME(write_output) (p, f);
}
