/*
 * sketch_query.h: a query laid out as it meets the columns of a sketch. After the types of
 * sweep.c.
 */

/* A head's digits of 256 and of 1 before the columns that it is in, and what becomes of its sums. */
static void
set_sketch_head(const int16_t *query, ptrdiff_t at, ptrdiff_t width, SketchHead *head)
{
	unsigned	sum = 0;

	head->first = (int) (at / 8);
	head->columns = (int) ((at + width - 1) / 8) - head->first + 1;
	for (ptrdiff_t element = at; element < at + width; element++)
	{
		const int	value = query[element];
		const int	high = (value + 128) >> 8;
		int8_t	   *digits = head->digits + (element / 8 - head->first) * 16 + element % 8 / 4 * 8 + element % 4;

		digits[0] = (int8_t) high;
		digits[4] = (int8_t) (value - high * 256);
		sum += (unsigned) value;
	}
	/* sums of 32 bits wrap around, and so does what is taken from them */
	head->offset = (int) (sum * TWICE_SKETCH_MIDDLE);
}

/* A query before tiles of a sketch; false with an exception set where there is no memory. */
static int
get_sketch(const Py_buffer *query, Sweep *s)
{
	const ptrdiff_t heads = query->shape[0];
	const ptrdiff_t width = query->shape[1];
	const ptrdiff_t room = (width / 8 + 2) * 16;
	int8_t	   *digits;

	s->sketch = PyMem_Calloc(heads, sizeof(SketchHead) + room);
	if (s->sketch == NULL)
		return PyErr_NoMemory() != NULL;
	digits = (int8_t *) (s->sketch + heads);
	for (ptrdiff_t h = 0; h < heads; h++)
	{
		s->sketch[h].digits = digits + h * room;
		set_sketch_head(query->buf, h * width, width, &s->sketch[h]);
	}
	return 1;
}
