/* sweep_body.h: BODY of variants.h for sweep.c. */
#include "lanes.h"
#include "exp.h"

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
#define TOTALS(vectors, step) __builtin_convertvector(NAME(sums_of_lanes) (vectors, step), NAME(vector))
#define SQUARES 0
#include "dots.h"
#include "sweep_block.h"
#include "item_end.h"

/* Multiply values by a unit and by factors of their own, and add up what is infinite or no number, times 0. */
INLINE float
NAME(scaled) (float *values, const float *factors, float unit, int count)
{
	NAME(vector) wrong = {0};
	float		sum = 0;
	int			at = 0;

	for (; at + LANES <= count; at += LANES)
	{
		NAME(vector) value = LOAD_FLOATS(values + at);

		if (factors != NULL)
		{
			value *= LOAD_FLOATS(factors + at) * unit;
			memcpy(values + at, &value, sizeof(value));
		}
		wrong += value * 0.0f;
	}
	for (; at < count; at++)
	{
		if (factors != NULL)
			values[at] *= factors[at] * unit;
		sum += values[at] * 0.0f;
	}
	for (int i = 0; i < LANES; i++)
		sum += wrong[i];
	return sum;
}

INLINE float
NAME(maximum) (const float *values, int count)
{
	float		most = -INFINITY;
	NAME(vector) largest = (NAME(vector)) {0} + most;
	int			at = 0;

	for (; at + LANES <= count; at += LANES)
	{
		NAME(vector) value = LOAD_FLOATS(values + at);
		NAME(lanes) more = value > largest;

		largest = (NAME(vector)) (((NAME(lanes)) value & more) | ((NAME(lanes)) largest & ~more));
	}
	for (int i = 0; i < LANES; i++)
		most = largest[i] > most ? largest[i] : most;
	for (; at < count; at++)
		most = values[at] > most ? values[at] : most;
	return most;
}

/* Turn logits into e^(logit - maximum); their sum. */
INLINE double
NAME(exponentials) (float *values, int count, float maximum)
{
	NAME(vector) total = {0};
	double		sum = 0;

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		NAME(vector) value = some == LANES ? LOAD_FLOATS(values + at) : LOAD_SOME_FLOATS(values + at, some);

		value = NAME(exp_of_negative) (value - maximum);
		NAME(store) (values + at, value, some);
		if (some == LANES)
			total += value;
		else
			for (int i = 0; i < some; i++)
				sum += value[i];
	}
	for (int i = 0; i < LANES; i++)
		sum += total[i];
	return sum;
}

/* Sums of products with a bound of each key: of weights, of their distances from the usual one, and squares of these. */
INLINE void
NAME(moments) (const float *weights, const float *bounds, int count, float usual, double *sums)
{
	NAME(vector) first = {0};
	NAME(vector) apart = {0};
	NAME(vector) squared = {0};
	int			at = 0;

	for (; at + LANES <= count; at += LANES)
	{
		NAME(vector) bound = LOAD_FLOATS(bounds + at);
		NAME(vector) weight = LOAD_FLOATS(weights + at);
		NAME(vector) distance = (weight - usual) * bound;

		first += weight * bound;
		squared += distance * distance;
		apart += (NAME(vector)) ((NAME(lanes)) distance & 0x7fffffff);
	}
	sums[0] = sums[1] = sums[2] = 0;
	for (int i = 0; i < LANES; i++)
	{
		sums[0] += first[i];
		sums[1] += apart[i];
		sums[2] += squared[i];
	}
	for (; at < count; at++)
	{
		float		distance = (weights[at] - usual) * bounds[at];

		sums[0] += weights[at] * bounds[at];
		sums[1] += fabsf(distance);
		sums[2] += distance * distance;
	}
}

TARGET static void
NAME(sweep_block) (const void *problem, ptrdiff_t block)
{
	const Sweep *s = problem;
	const ptrdiff_t start = block * BLOCK;
	const int	count = s->rows - start < BLOCK ? (int) (s->rows - start) : BLOCK;
	const int	nsums = 1 + OF_BOUND * s->bounds;
	float		scale[BLOCK];
	float		bounds[MOST_BOUNDS][BLOCK];

	if (s->type == FLOATS)
		NAME(block_logits_floats) (s, start, count);
	else if (s->type == HALVES)
		NAME(block_logits_halves) (s, start, count);
	else
		NAME(block_logits_bytes) (s, start, count);
	for (int i = 0; i < count && s->scale != NULL; i++)
		scale[i] = s->scale[stored_row(s, start + i)];
	for (int b = 0; b < s->bounds; b++)
	{
		for (int i = 0; i < count; i++)
			bounds[b][i] = s->bound[b][stored_row(s, start + i)];
		s->most[block * s->most_stride + b] = NAME(maximum) (bounds[b], count);
	}
	for (int h = 0; h < s->heads; h++)
	{
		float	   *weights = s->weights + h * s->weight_stride + start;
		double	   *sums = s->sums + block * s->sums_stride + h * nsums;
		float		wrong = NAME(scaled) (weights, s->scale != NULL ? scale : NULL, s->unit[h], count);
		float		maximum = NAME(maximum) (weights, count);

		s->maxima[block * s->maxima_stride + h] = maximum;
		sums[0] = NAME(exponentials) (weights, count, maximum) + wrong;
		for (int b = 0; b < s->bounds; b++)
			NAME(moments) (weights, bounds[b], count, expf(s->usual[h] - maximum), sums + 1 + OF_BOUND * b);
	}
}

/* The mean over heads: scores of a block, and the largest of them. */
TARGET static void
NAME(mix_block) (const void *problem, ptrdiff_t block)
{
	const Mix  *m = problem;
	const ptrdiff_t start = block * BLOCK;
	const int	count = m->rows - start < BLOCK ? (int) (m->rows - start) : BLOCK;
	const float *factors = m->factors + block * m->factors_stride;
	float		scores[BLOCK + LANES];

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		NAME(vector) score = {0};

		for (int h = 0; h < m->heads; h++)
		{
			const float *weights = m->weights + h * m->weight_stride + start + at;

			score += factors[h] * (some == LANES ? LOAD_FLOATS(weights) : LOAD_SOME_FLOATS(weights, some));
		}
		memcpy(scores + at, &score, sizeof(score));
	}
	memcpy(m->scores + start, scores, count * sizeof(float));
	m->tops[block] = NAME(maximum) (scores, count);
}
