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
 * Vectors are added up TOGETHER at a time as they come, and then what is left of LANES of
 * them, `step` vectors apart. Halves are added first, so that a vector's sum is the same
 * wherever among the lanes its first float is. The i-th sum is in the i-th lane if vectors
 * taken together stood LANES / TOGETHER apart.
 */
INLINE VECTOR
SUMS(together) (const VECTOR *vectors)
{
	const VECTOR even = SUMS(join) (vectors[0], vectors[2], LANES / 2);
	const VECTOR odd = SUMS(join) (vectors[1], vectors[3], LANES / 2);

	return SUMS(join) (even, odd, LANES / 4);
}

INLINE VECTOR
SUMS(sums) (const VECTOR *vectors, int step)
{
	VECTOR		tree[LANES / TOGETHER];

#pragma GCC unroll 4
	for (int i = 0; i < LANES / TOGETHER; i++)
		tree[i] = vectors[i * step];
#pragma GCC unroll 2
	for (int half = LANES / TOGETHER / 2; half > 0; half /= 2)
#pragma GCC unroll 2
		for (int i = 0; i < half; i++)
			tree[i] = SUMS(join) (tree[i], tree[i + half], half);
	return tree[0];
}

#undef OWN
#undef OTHER
