/*
 * lanes.h: what vectors of one instruction set can do; for BODY of variants.h.
 */

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));
typedef float NAME(unaligned) __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int NAME(lanes) __attribute__((vector_size(LANES * 4)));

/* One step of adding up LANES vectors into one: lanes with bit `bit` are b's, summed in pairs. */
INLINE NAME(vector)
NAME(join) (NAME(vector) a, NAME(vector) b, int bit)
{
	NAME(lanes) own;
	NAME(lanes) other;

	for (int i = 0; i < LANES; i++)
	{
		own[i] = (i & bit) ? LANES + i : i;
		other[i] = (i & bit) ? LANES + (i ^ bit) : (i ^ bit);
	}
	return __builtin_shuffle(a, b, own) + __builtin_shuffle(a, b, other);
}

/* The sums of LANES vectors, `step` vectors apart, as the lanes of one. */
INLINE NAME(vector)
NAME(sums) (const NAME(vector) *vectors, int step)
{
	NAME(vector) tree[LANES];

	for (int i = 0; i < LANES; i++)
		tree[i] = vectors[i * step];
#pragma GCC unroll 4
	for (int bit = 1; bit < LANES; bit *= 2)
#pragma GCC unroll 8
		for (int i = 0; i < LANES / 2 / bit; i++)
			tree[i] = NAME(join) (tree[2 * i], tree[2 * i + 1], bit);
	return tree[0];
}
