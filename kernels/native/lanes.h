/*
 * lanes.h: what vectors of one instruction set can do; for BODY of variants.h.
 */

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));
typedef float NAME(unaligned) __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int NAME(lanes) __attribute__((vector_size(LANES * 4)));

/* Write the first n <= LANES floats. Nearly always n is LANES, which the compiler is to know. */
INLINE void
NAME(store) (float *p, NAME(vector) value, ptrdiff_t n)
{
	if (n == LANES)
		memcpy(p, &value, sizeof(value));
	else
		for (ptrdiff_t i = 0; i < n; i++)
			p[i] = value[i];
}

/*
 * How many floats behind the border of a vector these rows begin; -1 where they differ, or
 * where their slices of this width are too short to gain by it.
 */
INLINE ptrdiff_t
NAME(skew) (const float *const *rows, int count, ptrdiff_t width)
{
	uintptr_t	apart = 0;

	for (int i = 1; i < count; i++)
		apart |= (uintptr_t) rows[i] ^ (uintptr_t) rows[0];
	return apart % (LANES * 4) == 0 && width >= 4 * LANES ? (ptrdiff_t) ((uintptr_t) rows[0] / 4 % LANES) : -1;
}

/* How many floats `at` is behind the border of a vector in such rows, and 0 where that is not to be asked. */
INLINE ptrdiff_t
NAME(before) (ptrdiff_t skew, ptrdiff_t at)
{
	return skew < 0 ? 0 : (skew + at) % LANES;
}

#define HALVES_SWAPPED(i) ((i) ^ half)

/* The lanes of one vector added up, and the largest of them. */
INLINE float
NAME(total) (NAME(vector) value)
{
#pragma GCC unroll 4
	for (int half = LANES / 2; half > 0; half /= 2)
	{
		const NAME(lanes) other = {EACH_LANE(HALVES_SWAPPED)};

		value += __builtin_shuffle(value, other);
	}
	return value[0];
}

INLINE float
NAME(largest) (NAME(vector) value)
{
#pragma GCC unroll 4
	for (int half = LANES / 2; half > 0; half /= 2)
	{
		const NAME(lanes) other = {EACH_LANE(HALVES_SWAPPED)};

		value = LARGER(value, __builtin_shuffle(value, other));
	}
	return value[0];
}

#undef HALVES_SWAPPED

/* How many vectors' lanes are added up at a time. */
#define TOGETHER 4

#define VECTOR NAME(vector)
#define SUMS(x) NAME(x)
#include "sums.h"
#undef VECTOR
#undef SUMS
