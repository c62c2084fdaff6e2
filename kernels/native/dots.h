/*
 * dots.h: products of a query's heads with a few keys of one type; after lanes.h, once
 * for each type of element.
 *
 * ITEM(x): x with instruction set and type in its name. QUERY, ELEMENT: the types of the
 * query's and the keys' elements, of which STEP are taken at a time. LOAD_QUERY(p),
 * LOAD(p): STEP of them. LOAD_QUERY_PART(p, n), LOAD_PART(p, n): n < STEP of them, zeros
 * behind. SUM: a vector of sums. ADD(sum, own, part): sum + own * part. JOINED(sums): one
 * SUM for TOGETHER of them. TOTALS(sums, step): a vector of floats, the lanes of LANES sums
 * added up, of which LANES / TOGETHER are left. SQUARES: whether the keys'
 * squares are wanted. CACHED: whether keys come out of a cache, as a rule; these are of
 * float32. There a load across two lines costs, and what asks ahead of the processor does.
 */
#ifndef CACHED
#define CACHED 0
#endif

/* Heads summed at a time, so that the sums stay in the first-level cache. */
#define GROUP 32
/* How many bytes ahead of its use memory is asked for, into the second-level cache. */
#define AHEAD 32768
#define CACHE_LINE 64

/* To dots, and squares, of TOGETHER keys the products of what `load` takes from `at` of each. */
#define ADD_PRODUCTS(load_query, load, at, ...) \
	do { \
		__auto_type own_ = load_query(query + (at), ##__VA_ARGS__); \
		_Pragma("GCC unroll 4") \
		for (int k = 0; k < TOGETHER; k++) \
		{ \
			__auto_type part_ = load(keys[k] + (at), ##__VA_ARGS__); \
			dots[k] = ADD(dots[k], own_, part_); \
			if (SQUARES) \
				squares[k] = ADD(squares[k], part_, part_); \
		} \
	} while (0)

/*
 * The products of TOGETHER keys' slices with those of the query, and the keys'
 * squares, by lanes: a vector for each head, and one for the squares. Memory gives more
 * when it is asked for several keys at once.
 */
INLINE void
ITEM(keys_together) (const QUERY *query, const ELEMENT *const *keys, int heads, ptrdiff_t width, SUM *sums)
{
	SUM			squares[TOGETHER] = {{0}};
	ptrdiff_t	at = 0;
#if CACHED
	const ptrdiff_t skew = NAME(skew) (keys, TOGETHER, width);
#endif

	for (int h = 0; h < heads; h++)
	{
		SUM			dots[TOGETHER] = {{0}};
		const ptrdiff_t end = at + width;

#if CACHED
		const ptrdiff_t before = NAME(before) (skew, at);

		if (before != 0)
		{
			ADD_PRODUCTS(LOAD_LAST_FLOATS, LOAD_LAST_FLOATS, at - before, LANES - before);
			at += LANES - before;
		}
#else
		for (ptrdiff_t line = at; line < end; line += CACHE_LINE / sizeof(ELEMENT))
#pragma GCC unroll 4
			for (int k = 0; k < TOGETHER; k++)
				__builtin_prefetch((const char *) (keys[k] + line) + AHEAD, 0, 2);
#endif
		for (; at + STEP <= end; at += STEP)
			ADD_PRODUCTS(LOAD_QUERY, LOAD, at);
		if (at < end)
			ADD_PRODUCTS(LOAD_QUERY_PART, LOAD_PART, at, end - at);
		at = end;
		sums[h] = JOINED(dots);
	}
	if (SQUARES)
		sums[heads] = JOINED(squares);
}

/*
 * At most GROUP heads of LANES keys, of which `count` are wanted: out[h * out_stride + i],
 * and added to squares[i] where these are. All keys are summed in the same order, wherever
 * they stand.
 */
INLINE void
ITEM(few_keys) (const QUERY *query, const ELEMENT *const *keys, int count, int heads, ptrdiff_t width,
				float *out, ptrdiff_t out_stride, float *squares)
{
	SUM			sums[LANES / TOGETHER * (GROUP + SQUARES)];
	const int	step = heads + SQUARES;

	for (int row = 0; row < LANES / TOGETHER; row++)
	{
		const ELEMENT *apart[TOGETHER];

		for (int k = 0; k < TOGETHER; k++)
			apart[k] = keys[row + k * (LANES / TOGETHER)];
		ITEM(keys_together) (query, apart, heads, width, sums + row * step);
	}
	for (int h = 0; h < heads; h++)
		NAME(store) (out + h * out_stride, TOTALS(sums + h, step), count);
	if (SQUARES)
	{
		NAME(vector) more = TOTALS(sums + heads, step);

		for (int row = 0; row < count; row++)
			squares[row] += more[row];
	}
}

/* All heads of LANES keys, of which `count` are wanted. */
INLINE void
ITEM(all_heads) (const QUERY *query, const ELEMENT *const *keys, int count, int heads, ptrdiff_t width,
				 float *out, ptrdiff_t out_stride, float *squares)
{
	if (SQUARES)
		memset(squares, 0, count * sizeof(float));
	for (int first = 0; first < heads; first += GROUP)
	{
		const ELEMENT *slices[LANES];

		for (int i = 0; i < LANES; i++)
			slices[i] = keys[i] + first * width;
		ITEM(few_keys) (query + first * width, slices, count, heads - first < GROUP ? heads - first : GROUP, width,
						out + first * out_stride, out_stride, squares);
	}
}

#undef ADD_PRODUCTS
