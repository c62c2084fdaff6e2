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

/* Lanes with bit `bit` are the second vector's: their own ones, and what is to be added to them. */
#define OWN(i) (((i) & bit) ? LANES + (i) : (i))
#define OTHER(i) (((i) & bit) ? LANES + ((i) ^ bit) : ((i) ^ bit))

/* One step of adding up LANES vectors into one: pairs of lanes of two vectors are summed into lanes of one. */
INLINE NAME(vector)
NAME(join) (NAME(vector) a, NAME(vector) b, const int bit)
{
	const NAME(lanes) own = {EACH_LANE(OWN)};
	const NAME(lanes) other = {EACH_LANE(OTHER)};

	return __builtin_shuffle(a, b, own) + __builtin_shuffle(a, b, other);
}

/* The sums of LANES vectors, `step` vectors apart, as the lanes of one. */
INLINE NAME(vector)
NAME(sums) (const NAME(vector) *vectors, int step)
{
	NAME(vector) tree[LANES];

#pragma GCC unroll 8
	for (int i = 0; i < LANES / 2; i++)
		tree[i] = NAME(join) (vectors[2 * i * step], vectors[(2 * i + 1) * step], 1);
#pragma GCC unroll 8
	for (int i = 0; i < LANES / 4; i++)
		tree[i] = NAME(join) (tree[2 * i], tree[2 * i + 1], 2);
#pragma GCC unroll 8
	for (int i = 0; i < LANES / 8; i++)
		tree[i] = NAME(join) (tree[2 * i], tree[2 * i + 1], 4);
#pragma GCC unroll 8
	for (int i = 0; i < LANES / 16; i++)
		tree[i] = NAME(join) (tree[2 * i], tree[2 * i + 1], 8);
	return tree[0];
}

#undef OWN
#undef OTHER
