/*
 * sums.h: SUMS(sums), which adds up the lanes of LANES vectors at a time; for BODY of
 * variants.h, after lanes.h, once for vectors of type VECTOR.
 */

/* Lanes with bit `bit` are the second vector's: their own ones, and what is to be added to them. */
#define OWN(i) (((i) & bit) ? LANES + (i) : (i))
#define OTHER(i) (((i) & bit) ? LANES + ((i) ^ bit) : ((i) ^ bit))

/* One step of adding up LANES vectors into one: pairs of lanes of two vectors are summed into lanes of one. */
INLINE VECTOR
SUMS(join) (VECTOR a, VECTOR b, const int bit)
{
	const NAME(lanes) own = {EACH_LANE(OWN)};
	const NAME(lanes) other = {EACH_LANE(OTHER)};

	return __builtin_shuffle(a, b, own) + __builtin_shuffle(a, b, other);
}

/* The sums of LANES vectors, `step` vectors apart, as the lanes of one. */
INLINE VECTOR
SUMS(sums) (const VECTOR *vectors, int step)
{
	VECTOR		tree[LANES];

#pragma GCC unroll 8
	for (int i = 0; i < LANES / 2; i++)
		tree[i] = SUMS(join) (vectors[2 * i * step], vectors[(2 * i + 1) * step], 1);
#pragma GCC unroll 8
	for (int i = 0; i < LANES / 4; i++)
		tree[i] = SUMS(join) (tree[2 * i], tree[2 * i + 1], 2);
#pragma GCC unroll 8
	for (int i = 0; i < LANES / 8; i++)
		tree[i] = SUMS(join) (tree[2 * i], tree[2 * i + 1], 4);
#pragma GCC unroll 8
	for (int i = 0; i < LANES / 16; i++)
		tree[i] = SUMS(join) (tree[2 * i], tree[2 * i + 1], 8);
	return tree[0];
}

#undef OWN
#undef OTHER
