/*
 * softmax.h: the steps of a softmax over floats side by side; for BODY of variants.h,
 * after exp.h.
 */

/* The first n <= LANES floats, and `beyond` behind them. */
INLINE NAME(vector)
NAME(load) (const float *p, ptrdiff_t n, float beyond)
{
	NAME(vector) value = (NAME(vector)) {0} + beyond;

	if (n == LANES)
		return LOAD_FLOATS(p);
	for (ptrdiff_t i = 0; i < n; i++)
		value[i] = p[i];
	return value;
}

INLINE float
NAME(maximum) (const float *values, int count)
{
	NAME(vector) most = (NAME(vector)) {0} - INFINITY;

	for (int at = 0; at < count; at += LANES)
		most = LARGER(most, NAME(load) (values + at, count - at < LANES ? count - at : LANES, -INFINITY));
	return NAME(largest) (most);
}

/* Turn logits into e^(logit - maximum); their sum. */
INLINE float
NAME(exponentials) (float *values, int count, float maximum)
{
	NAME(vector) total = {0};

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		NAME(vector) value = NAME(exp) (NAME(load) (values + at, some, -INFINITY) - maximum);

		NAME(store) (values + at, value, some);
		total += value;
	}
	return NAME(total) (total);
}
