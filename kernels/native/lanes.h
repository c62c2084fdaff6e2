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

#define VECTOR NAME(vector)
#define SUMS(x) NAME(x)
#include "sums.h"
#undef VECTOR
#undef SUMS
