/*
 * dots.h: head_dots for one instruction set, to be included once for each.
 *
 * NAME(x): x with the instruction set in its name. TARGET: the attribute of functions
 * that may use it. LANES: floats of a vector. LOAD(p): a vector from memory.
 * LOAD_PART(p, n): the first n < LANES floats from there, zeros behind them.
 */

typedef float NAME(vector) __attribute__((vector_size(LANES * 4)));
typedef float NAME(unaligned) __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int NAME(lanes) __attribute__((vector_size(LANES * 4)));

#define INLINE TARGET __attribute__((always_inline)) static inline

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

/*
 * The products of TOGETHER keys' slices with those of the query, and the keys'
 * squares, by lanes: `heads` + 1 vectors of sums for each key.
 */
INLINE void
NAME(keys_together) (const float *query, const float *const *keys, int heads, ptrdiff_t width, NAME(vector) *sums)
{
	NAME(vector) squares[TOGETHER] = {{0}};
	ptrdiff_t	at = 0;

	for (int h = 0; h < heads; h++)
	{
		NAME(vector) dots[TOGETHER] = {{0}};
		const ptrdiff_t end = at + width;

		for (; at + LANES <= end; at += LANES)
		{
			NAME(vector) own = LOAD(query + at);

#pragma GCC unroll 4
			for (int k = 0; k < TOGETHER; k++)
			{
				NAME(vector) part = LOAD(keys[k] + at);

				__builtin_prefetch(keys[k] + at + AHEAD);
				dots[k] += own * part;
				squares[k] += part * part;
			}
		}
		if (at < end)
		{
			NAME(vector) own = LOAD_PART(query + at, end - at);

#pragma GCC unroll 4
			for (int k = 0; k < TOGETHER; k++)
			{
				NAME(vector) part = LOAD_PART(keys[k] + at, end - at);

				dots[k] += own * part;
				squares[k] += part * part;
			}
			at = end;
		}
#pragma GCC unroll 4
		for (int k = 0; k < TOGETHER; k++)
			sums[k * (heads + 1) + h] = dots[k];
	}
#pragma GCC unroll 4
	for (int k = 0; k < TOGETHER; k++)
		sums[k * (heads + 1) + heads] = squares[k];
}

/* At most GROUP heads of up to LANES keys. All keys are summed in the same order, wherever they stand. */
INLINE void
NAME(few_keys) (const Problem *p, const float *keys, int count, int first, int heads, float *out, float *squares)
{
	NAME(vector) sums[LANES * (GROUP + 1)];
	const int	step = heads + 1;

	for (int row = 0; row < LANES; row += TOGETHER)
	{
		const float *together[TOGETHER];

		/* in place of keys that are not there the last one is summed again */
		for (int k = 0; k < TOGETHER; k++)
			together[k] = keys + (row + k < count ? row + k : count - 1) * p->key_stride + first * p->width;
		NAME(keys_together) (p->query + first * p->width, together, heads, p->width, sums + row * step);
	}
	for (int h = 0; h < heads; h++)
	{
		NAME(vector) dots = NAME(sums) (sums + h, step);

		memcpy(out + (first + h) * p->out_stride, &dots, count * sizeof(float));
	}
	{
		NAME(vector) more = NAME(sums) (sums + heads, step);

		for (int row = 0; row < count; row++)
			squares[row] = first == 0 ? more[row] : squares[row] + more[row];
	}
}

TARGET static void
NAME(head_dots) (const Problem *p)
{
	for (ptrdiff_t row = 0; row < p->rows; row += LANES)
	{
		int			count = p->rows - row < LANES ? (int) (p->rows - row) : LANES;

		for (int first = 0; first < p->heads; first += GROUP)
			NAME(few_keys) (p, p->keys + row * p->key_stride, count, first,
							p->heads - first < GROUP ? p->heads - first : GROUP, p->out + row, p->squares + row);
	}
}

#undef INLINE
#undef NAME
#undef TARGET
#undef LANES
#undef LOAD
#undef LOAD_PART
