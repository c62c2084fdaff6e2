/*
 * sketch.h: logits of keys of four bits an element; for BODY of variants.h, after lanes.h.
 *
 * Keys lie in tiles of TILE_KEYS, a column of 8 elements after the other, and in it key by
 * key: 4 bytes, of which byte j has element j below and element j + 4 above. So the lanes
 * of a vector are keys, and nothing is left to be added up across them.
 */
#define HALF_OF_COLUMN 0x0f0f0f0f

/* Where the bytes of a stored key begin. */
INLINE const uint8_t *
NAME(key_in_tile) (const Sweep *s, ptrdiff_t row)
{
	return (const uint8_t *) s->keys + row / TILE_KEYS * TILE_KEYS * s->key_stride + row % TILE_KEYS * 4;
}

/* A column of LANES keys, which lie side by side or anywhere. */
INLINE NAME(lanes)
NAME(column) (const uint8_t *const *keys, int side_by_side, ptrdiff_t column)
{
	NAME(lanes) value;

	if (side_by_side)
		memcpy(&value, keys[0] + column * TILE_KEYS * 4, sizeof(value));
	else
		for (int i = 0; i < LANES; i++)
		{
			int			one;

			memcpy(&one, keys[i] + column * TILE_KEYS * 4, sizeof(one));
			value[i] = one;
		}
	return value;
}

/* The sums of products of LANES keys with a head: with the digits of 256 and of 1 of its integers. */
INLINE NAME(lanes)
NAME(head_of_sketch) (const uint8_t *const *keys, int side_by_side, const SketchHead *head)
{
	NAME(lanes) sums[2][2] = {{{0}}};

	for (int c = 0; c < head->columns; c++)
	{
		const int  *digits = (const int *) (head->digits + 16 * c);
		NAME(lanes) both = NAME(column) (keys, side_by_side, head->first + c);
		NAME(lanes) halves[2] = {both & HALF_OF_COLUMN, both >> 4 & HALF_OF_COLUMN};

		__builtin_prefetch(keys[0] + (head->first + c) * TILE_KEYS * 4 + SKETCH_AHEAD, 0, 2);
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			sums[i / 2][i % 2] = ADD_SMALL(sums[i / 2][i % 2], halves[i / 2], digits[i]);
	}
	return ((sums[0][0] + sums[1][0]) << 8) + sums[0][1] + sums[1][1];
}

/* The logits of LANES keys, of which `count` are wanted, before scales and units: out[h * out_stride + i]. */
INLINE void
NAME(heads_of_sketch) (const Sweep *s, const uint8_t *const *keys, int side_by_side, int count, float *out)
{
	for (int h = 0; h < s->heads; h++)
	{
		NAME(lanes) sums = NAME(head_of_sketch) (keys, side_by_side, &s->sketch[h]) * (2 * SKETCH_STEP);

		NAME(store) (out + h * s->weight_stride, __builtin_convertvector(sums - s->sketch[h].offset, NAME(vector)), count);
	}
}

/* The logits of a block into its part of the weights. */
TARGET static void
NAME(block_logits_sketch) (const Sweep *s, ptrdiff_t start, int count)
{
	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		const uint8_t *keys[LANES] = {NAME(key_in_tile) (s, stored_row(s, start + at))};
		float	   *out = s->weights + start + at;
		int			side_by_side = 1;

		/* where all keys are present, so are the rest of the last one's tile */
		for (int i = 1; i < LANES && s->present != NULL; i++)
		{
			keys[i] = NAME(key_in_tile) (s, stored_row(s, start + at + (i < some ? i : 0)));
			side_by_side &= keys[i] == keys[0] + 4 * i;
		}
		if (side_by_side)
			NAME(heads_of_sketch) (s, keys, 1, some, out);
		else
			NAME(heads_of_sketch) (s, keys, 0, some, out);
	}
}
