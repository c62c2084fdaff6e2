/* dots_body.h: BODY of variants.h for dots.c. */
#include "lanes.h"

#include "floats.h"
#include "item_end.h"

TARGET static void
NAME(head_dots) (const Problem *p)
{
	for (ptrdiff_t row = 0; row < p->rows; row += LANES)
	{
		const int	count = p->rows - row < LANES ? (int) (p->rows - row) : LANES;
		const float *keys[LANES];

		for (int i = 0; i < LANES; i++)
			keys[i] = p->keys + (i < count ? row + i : row) * p->key_stride;
		NAME(all_heads_floats) (p->query, keys, count, p->heads, p->width, p->out + row, p->out_stride, p->squares + row);
	}
}
