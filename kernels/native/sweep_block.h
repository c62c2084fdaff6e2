/*
 * sweep_block.h: a block of keys of one type; after dots.h.
 */

/* The logits of a block into its part of the weights, and where they are wanted the keys' squares. */
TARGET static void
ITEM(block_logits) (const Sweep *s, ptrdiff_t start, int count)
{
	const ELEMENT *all = s->keys;

	for (int at = 0; at < count; at += LANES)
	{
		const int	some = count - at < LANES ? count - at : LANES;
		const ELEMENT *keys[LANES];

		for (int i = 0; i < LANES; i++)
			keys[i] = all + stored_row(s, start + at + (i < some ? i : 0)) * s->key_stride;
		ITEM(all_heads) (s->query, keys, some, s->heads, s->width, s->weights + start + at, s->weight_stride,
						 SQUARES ? s->squares + start + at : NULL);
	}
}
