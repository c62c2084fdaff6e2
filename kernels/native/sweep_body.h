/* sweep_body.h: BODY of variants.h for sweep.c. */
#include "lanes.h"
#include "exp.h"
#include "softmax.h"

#include "floats.h"
#include "sweep_block.h"
#include "item_end.h"

#define ITEM(x) NAME(x##_halves)
#define QUERY float
#define ELEMENT uint16_t
#define STEP LANES
#define LOAD_QUERY(p) LOAD_FLOATS(p)
#define LOAD_QUERY_PART(p, n) LOAD_SOME_FLOATS(p, n)
#define LOAD(p) LOAD_HALVES(p)
#define LOAD_PART(p, n) COPIED(uint16_t, LANES, p, n, LOAD_HALVES)
#define SUM NAME(vector)
#define ADD(sum, own, part) ((sum) + (own) * (part))
#define JOINED(vectors) NAME(together) (vectors)
#define TOTALS(vectors, step) NAME(sums) (vectors, step)
#define SQUARES 0
#include "dots.h"
#include "sweep_block.h"
#include "item_end.h"

#define VECTOR NAME(lanes)
#define SUMS(x) NAME(x##_of_lanes)
#include "sums.h"
#undef VECTOR
#undef SUMS

/* Products of bytes with 16 bits of a query are summed as integers. */
#define ITEM(x) NAME(x##_bytes)
#define QUERY int16_t
#define ELEMENT int8_t
#define STEP WORDS
#define LOAD_QUERY(p) LOAD_WORDS(p)
#define LOAD_QUERY_PART(p, n) LOAD_SOME_WORDS(p, n)
#define LOAD(p) LOAD_BYTES(p)
#define LOAD_PART(p, n) LOAD_SOME_BYTES(p, n)
#define SUM NAME(lanes)
#define ADD(sum, own, part) ADD_WORDS(sum, own, part)
#define JOINED(vectors) NAME(together_of_lanes) (vectors)
#define TOTALS(vectors, step) __builtin_convertvector(NAME(sums_of_lanes) (vectors, step), NAME(vector))
#define SQUARES 0
#include "dots.h"
#include "sweep_block.h"
#include "item_end.h"

#include "sketch.h"

/*
 * The largest of logits, which are first multiplied by a unit and by factors of their own
 * where they have any. Adds 0 times each to *wrong, which makes NaN of what is not finite.
 */
INLINE float
NAME(settle_logits) (float *logits, const float *factors, float unit, int count, float *wrong)
{
	NAME(vector) most = (NAME(vector)) {0} - INFINITY;
	NAME(vector) zeros = {0};

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		NAME(vector) logit = NAME(load) (logits + at, some, logits[0]);

		if (factors != NULL)
		{
			/* in place of factors that are not there the first one stands */
			logit *= NAME(load) (factors + at, some, factors[0]) * unit;
			NAME(store) (logits + at, logit, some);
		}
		most = LARGER(most, logit);
		zeros += logit * 0.0f;
	}
	*wrong = NAME(total) (zeros);
	return NAME(largest) (most);
}

/*
 * Sums over keys of weight * bound, of the weights' distance from the usual one * bound,
 * and of the square of that distance * spread. A bound is the lesser one of two.
 */
INLINE void
NAME(sum_bounds) (const float *weights, const float *const *bounds, const float *factors, int count, float usual,
				  double *sums)
{
	NAME(vector) plain = {0};
	NAME(vector) apart = {0};
	NAME(vector) squared = {0};

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		NAME(vector) weight = NAME(load) (weights + at, some, 0);
		NAME(vector) first = NAME(load) (bounds[0] + at, some, 0) * factors[0];
		NAME(vector) spread = NAME(load) (bounds[1] + at, some, 0);
		NAME(vector) bound = -LARGER(-first, -spread * factors[1]);
		NAME(vector) distance = weight - usual;
		NAME(vector) spread_apart = distance * spread;

		plain += weight * bound;
		apart += (NAME(vector)) ((NAME(lanes)) distance & 0x7fffffff) * bound;
		squared += spread_apart * spread_apart;
	}
	sums[0] = NAME(total) (plain);
	sums[1] = NAME(total) (apart);
	sums[2] = NAME(total) (squared);
}

/* Floats of the keys of a block side by side: where they are stored, or copied into `copy`. */
INLINE const float *
NAME(of_block) (const Sweep *s, const float *all, ptrdiff_t start, int count, float *copy)
{
	if (all == NULL || s->present == NULL)
		return all == NULL ? NULL : all + start;
	for (int i = 0; i < count; i++)
		copy[i] = all[s->present[start + i]];
	return copy;
}

/* The products of a block's keys, in place of its weights. */
INLINE void
NAME(block_products) (const Sweep *s, ptrdiff_t start, int count)
{
	if (s->type == FLOATS)
		NAME(block_logits_floats) (s, start, count);
	else if (s->type == HALVES)
		NAME(block_logits_halves) (s, start, count);
	else if (s->type == BYTES)
		NAME(block_logits_bytes) (s, start, count);
	else
		NAME(block_logits_sketch) (s, start, count);
}

/* The logits of a block, in place of its weights. */
TARGET static void
NAME(logits_block) (const void *problem, ptrdiff_t block)
{
	const Sweep *s = problem;
	const ptrdiff_t start = block * BLOCK;
	const int	count = s->rows - start < BLOCK ? (int) (s->rows - start) : BLOCK;
	float		copy[BLOCK];
	float		wrong;
	const float *scale = NAME(of_block) (s, s->scale, start, count, copy);

	NAME(block_products) (s, start, count);
	for (int h = 0; h < s->heads; h++)
		NAME(settle_logits) (s->weights + h * s->weight_stride + start, scale, s->unit[h], count, &wrong);
}

/* The weights of a block and their sums. */
INLINE void
NAME(weigh_block) (const Sweep *s, ptrdiff_t block, int count)
{
	const ptrdiff_t start = block * BLOCK;
	const int	nsums = s->bound[0] != NULL ? SUMS_WITH_BOUNDS : 1;
	float		copies[3][BLOCK];
	const float *scale = NAME(of_block) (s, s->scale, start, count, copies[0]);
	const float *bounds[2];

	for (int b = 0; b < 2; b++)
		bounds[b] = NAME(of_block) (s, s->bound[b], start, count, copies[1 + b]);
	if (nsums > 1)
	{
		const float *of_keys[3] = {bounds[0], bounds[1], scale};

		for (int i = 0; i < 3; i++)
			s->most[block * s->most_stride + i] = NAME(maximum) (of_keys[i], count);
	}
	for (int h = 0; h < s->heads; h++)
	{
		float	   *weights = s->weights + h * s->weight_stride + start;
		double	   *sums = s->sums + block * s->sums_stride + h * nsums;
		float		wrong;
		float		maximum = NAME(settle_logits) (weights, scale, s->unit[h], count, &wrong);

		s->maxima[block * s->maxima_stride + h] = maximum;
		sums[0] = NAME(exponentials) (weights, count, maximum) + wrong;
		if (nsums > 1)
			NAME(sum_bounds) (weights, bounds, s->factors + 2 * h, count, expf(s->usual[h] - maximum), sums + 1);
	}
}

TARGET static void
NAME(sweep_block) (const void *problem, ptrdiff_t block)
{
	const Sweep *s = problem;
	const int	count = s->rows - block * BLOCK < BLOCK ? (int) (s->rows - block * BLOCK) : BLOCK;

	NAME(block_products) (s, block * BLOCK, count);
	/* loops over as many keys as the compiler knows have no ends to take care of */
	if (count == BLOCK)
		NAME(weigh_block) (s, block, BLOCK);
	else
		NAME(weigh_block) (s, block, count);
}

/* The mean over heads: scores of a block, how large each may be, and the largest of both. */
INLINE void
NAME(mix_rows) (const Mix *m, ptrdiff_t block, int count)
{
	const ptrdiff_t start = block * BLOCK;
	const float *factors = m->factors + block * m->factors_stride;
	NAME(vector) most = {0};
	NAME(vector) upper_most = {0};

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		NAME(vector) score = {0};
		NAME(vector) squares = {0};

		for (int h = 0; h < m->heads; h++)
		{
			NAME(vector) part = factors[h] * NAME(load) (m->weights + h * m->weight_stride + start + at, some, 0);
			NAME(vector) far = part * (m->spread != NULL ? m->reach[h] * SCALED_UP : 0);

			score += part;
			squares += far * far;
		}
		NAME(store) (m->scores + start + at, score, some);
		most = LARGER(most, score);
		if (m->spread != NULL)
		{
			NAME(vector) spread = NAME(load) (m->spread + start + at, some, 0);
			NAME(vector) upper = score + spread * (ROOT(squares) / SCALED_UP);

			NAME(store) (m->upper + start + at, upper, some);
			upper_most = LARGER(upper_most, upper);
		}
	}
	m->tops[block] = NAME(largest) (most);
	if (m->spread != NULL)
		m->upper_tops[block] = NAME(largest) (upper_most);
}

TARGET static void
NAME(mix_block) (const void *problem, ptrdiff_t block)
{
	const Mix  *m = problem;
	const int	count = m->rows - block * BLOCK < BLOCK ? (int) (m->rows - block * BLOCK) : BLOCK;

	if (count == BLOCK)
		NAME(mix_rows) (m, block, BLOCK);
	else
		NAME(mix_rows) (m, block, count);
}

/* The values of a query's row of products from which on they are hits; returns how many there are now. */
INLINE ptrdiff_t
NAME(note_hits) (const Tile *t, ptrdiff_t query, ptrdiff_t from, ptrdiff_t to, ptrdiff_t block, ptrdiff_t hits)
{
	const float *products = t->products + query * t->product_stride;

	for (ptrdiff_t i = from; i < to; i++)
	{
		if (!(products[i] >= t->least[query]))
			continue;
		if (hits < t->room)
			t->hits[block * t->room + hits] = query * t->columns + i;
		hits++;
	}
	return hits;
}

/* Hits and sums of the rows of a few queries. */
TARGET static void
NAME(tile_block) (const void *problem, ptrdiff_t block)
{
	const Tile *t = problem;
	const ptrdiff_t end = (block + 1) * QUERIES_OF_A_BLOCK < t->queries ? (block + 1) * QUERIES_OF_A_BLOCK : t->queries;
	ptrdiff_t	hits = 0;

	for (ptrdiff_t query = block * QUERIES_OF_A_BLOCK; query < end; query++)
	{
		const float *products = t->products + query * t->product_stride;
		NAME(vector) total = {0};

		for (ptrdiff_t from = 0; from < t->columns; from += 4 * LANES)
		{
			const ptrdiff_t to = from + 4 * LANES < t->columns ? from + 4 * LANES : t->columns;
			NAME(vector) most = (NAME(vector)) {0} - INFINITY;

			for (ptrdiff_t at = from; at < to; at += LANES)
			{
				NAME(vector) value = NAME(load) (products + at, to - at < LANES ? to - at : LANES, -INFINITY);

				most = LARGER(most, value);
				total += t->as_they_are ? LARGER(value, (NAME(vector)) {0}) : NAME(exp) (value);
			}
			if (NAME(largest) (most) >= t->least[query])
				hits = NAME(note_hits) (t, query, from, to, block, hits);
		}
		t->sums[query] = NAME(total) (total);
	}
	t->counts[block] = hits;
}
