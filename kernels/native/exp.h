/*
 * exp.h: e^x of a vector of floats x <= 87; for BODY of variants.h, after lanes.h.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r, and e^r by its Taylor polynomial,
 * which is off by 2^-23 at most. With rounding the result is within 2^-21 of the right
 * one, relative; below -87, where floats are about to lose bits, it is 0.
 */

INLINE NAME(vector)
NAME(exp) (NAME(vector) x)
{
	const float shift = 0x1.8p23f;	/* what is added to it is rounded to an integer in its last bits */
	NAME(vector) rounded = x * 0x1.715476p0f + shift;
	NAME(vector) n = rounded - shift;
	NAME(vector) r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
	NAME(vector) y = r * 0x1.6c16c2p-10f + 0x1.111112p-7f;
	NAME(lanes) exponent = (NAME(lanes)) rounded << 23;

	y = y * r + 0x1.555556p-5f;
	y = y * r + 0x1.555556p-3f;
	y = y * r + 0.5f;
	y = y * r + 1.0f;
	y = y * r + 1.0f;
	y = (NAME(vector)) ((NAME(lanes)) y + exponent);
	return (NAME(vector)) ((NAME(lanes)) y & ~(x < -87.0f));
}
