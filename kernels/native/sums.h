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

/*
 * The sums of LANES vectors, `step` vectors apart, as the lanes of one. Halves are added
 * first, so that a vector's sum is the same wherever among the lanes its first float is.
 */
INLINE VECTOR
SUMS(sums) (const VECTOR *vectors, int step)
{
	VECTOR		tree[LANES / 2];

#pragma GCC unroll 8
	for (int i = 0; i < LANES / 2; i++)
		tree[i] = SUMS(join) (vectors[i * step], vectors[(i + LANES / 2) * step], LANES / 2);
#pragma GCC unroll 4
	for (int half = LANES / 4; half > 0; half /= 2)
#pragma GCC unroll 8
		for (int i = 0; i < half; i++)
			tree[i] = SUMS(join) (tree[i], tree[i + half], half);
	return tree[0];
}

#undef OWN
#undef OTHER
