/*
 * sweep.c: the softmax weights of one query over many keys in one pass over their memory.
 *
 * A block of keys stays in the first-level cache while its logits become weights
 * e^(logit - the block's maximum), whose sums make the normaliser (Milakov and Gimelshein
 * 2018). Blocks depend on nothing but themselves, so threads take them as they come,
 * and the numbers are the same whoever takes them.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <stddef.h>

/* Keys of a block. */
#define BLOCK 512
/* Queries of a block of a tile. */
#define QUERIES_OF_A_BLOCK 16
/* Sums of a head, where keys have bounds. */
#define SUMS_WITH_BOUNDS 4
/* Keys of a tile of a sketch, and how many bytes ahead of its use its memory is asked for. */
#define TILE_KEYS 16
#define SKETCH_AHEAD 16384

/* By what small numbers are multiplied before they are squared. */
#define SCALED_UP 0x1p60f

enum Type
{
	FLOATS,
	HALVES,
	BYTES,
	SKETCH
};

/* A head of a query before a sketch. */
typedef struct SketchHead
{
	const int  *digits;			/* four bytes at a time: for each column those of 256 and of 1, of both its halves */
	int			first;			/* column */
	int			columns;
	int			offset;			/* what is to be taken from 32 times the sums */
} SketchHead;

typedef struct Sweep
{
	const void *query;			/* of float32, or of int16 for bytes */
	SketchHead *sketch;			/* what it is before a sketch, by head */
	const void *keys;
	const int64_t *present;		/* which of the stored keys count, NULL for all */
	const float *scale;			/* of each stored key, NULL for 1 */
	const float *bound[2];		/* of each stored key, NULL for none */
	const float *factors;		/* by which bounds are multiplied: a pair for each head */
	const float *usual;			/* each head's usual logit */
	const float *unit;			/* what its products with keys are multiplied by, where these have a scale */
	float	   *weights;
	float	   *squares;
	float	   *maxima;
	double	   *sums;
	float	   *most;
	enum Type	type;
	ptrdiff_t	rows;			/* that count */
	ptrdiff_t	width;			/* of a head */
	ptrdiff_t	key_stride;
	ptrdiff_t	weight_stride;
	ptrdiff_t	maxima_stride;
	ptrdiff_t	sums_stride;
	ptrdiff_t	most_stride;
	int			heads;
} Sweep;

typedef struct Mix
{
	const float *weights;
	const float *factors;
	const float *spread;		/* of each key, NULL where no bounds of scores are wanted */
	const float *reach;			/* of each head */
	float	   *upper;
	float	   *scores;
	float	   *tops;
	ptrdiff_t	rows;
	ptrdiff_t	weight_stride;
	ptrdiff_t	factors_stride;
	int			heads;
} Mix;

/* Products of queries with a block of keys. */
typedef struct Tile
{
	const float *products;
	const float *least;			/* from which on they are hits */
	double	   *sums;
	int64_t    *hits;			/* query * columns + column; each block of queries has room for some */
	int64_t    *counts;			/* how many a block of queries has, be there room or not */
	ptrdiff_t	queries;
	ptrdiff_t	columns;
	ptrdiff_t	product_stride;
	ptrdiff_t	room;
	int			as_they_are;	/* sums are of products, not of their exponentials */
} Tile;

static inline ptrdiff_t
stored_row(const Sweep *s, ptrdiff_t place)
{
	return s->present == NULL ? place : s->present[place];
}

#define BODY "sweep_body.h"
#include "variants.h"
#include "arguments.h"
#include "blocks.h"

static const OfBlock sweep_block[] = OF_EACH_SET(sweep_block);
static const OfBlock mix_block[] = OF_EACH_SET(mix_block);
static const OfBlock tile_block[] = OF_EACH_SET(tile_block);

/* ---- Python ---- */

#define BLOCKS(rows) (((rows) + BLOCK - 1) / BLOCK)
#define QUERY_BLOCKS(queries) (((queries) + QUERIES_OF_A_BLOCK - 1) / QUERIES_OF_A_BLOCK)

static int
present_rows_exist(const Py_buffer *present, Py_ssize_t stored)
{
	const int64_t *rows = present->buf;
	int			exist = 1;

	for (Py_ssize_t i = 0; i < present->shape[1]; i++)
		exist &= rows[i] >= 0 && rows[i] < stored;
	return exist;
}

/* A matrix that may be None, which leaves `view` NULL; false with an exception set. */
static int
hold_optional(Matrices *matrices, PyObject *object, const char *what, const char *formats, int flags,
			  const Py_buffer **view)
{
	*view = NULL;
	return object == Py_None || (*view = hold(matrices, object, what, formats, flags)) != NULL;
}

/* Two bounds of each stored key, and their factors for each head; None for all three for no bounds. */
static int
get_bounds(PyObject *const *given, Matrices *held, Py_ssize_t stored, Py_ssize_t heads, Sweep *s)
{
	const Py_buffer *views[3];

	for (int i = 0; i < 3; i++)
		if (!hold_optional(held, given[i], "bounds", "f", 0, &views[i]))
			return 0;
	if ((views[0] == NULL) != (views[1] == NULL) || (views[0] == NULL) != (views[2] == NULL) ||
		!has_shape(views[0], 1, stored) || !has_shape(views[1], 1, stored) || !has_shape(views[2], heads, 2) ||
		(views[2] != NULL && views[2]->strides[0] != 8) || (views[0] != NULL && s->scale == NULL))
	{
		PyErr_SetString(PyExc_ValueError, "the bounds do not fit");
		return 0;
	}
	for (int b = 0; b < 2; b++)
		s->bound[b] = views[b] != NULL ? views[b]->buf : NULL;
	s->factors = views[2] != NULL ? views[2]->buf : NULL;
	return 1;
}

/* A head's part of a query before a sketch, `digits` of which are its row: see sweep.pyi. */
static int
get_sketch_head(const Py_buffer *query, const Py_buffer *layout, Py_ssize_t row, Py_ssize_t columns, SketchHead *head)
{
	const int  *of_head = (const int *) ((const char *) layout->buf + row * layout->strides[0]);

	head->digits = (const int *) ((const char *) query->buf + row * query->strides[0]);
	head->first = of_head[0];
	head->offset = of_head[1];
	if (head->first < 0 || head->first >= columns)
		return 0;
	head->columns = (int) (columns - head->first < query->shape[1] / 16 ? columns - head->first : query->shape[1] / 16);
	return 1;
}

/* A query before tiles of a sketch; false where they do not fit. */
static int
get_sketch(const Py_buffer *query, const Py_buffer *keys, const Py_buffer *scale, const Py_buffer *layout,
		   SketchHead **heads)
{
	if (layout == NULL || scale == NULL || query->format[0] != 'b' || query->shape[1] % 16 != 0 ||
		query->strides[0] % 4 != 0 || keys->shape[0] % TILE_KEYS != 0 || keys->shape[1] % 4 != 0 ||
		keys->strides[0] != keys->shape[1] || keys->shape[1] > INT_MAX || scale->shape[1] > keys->shape[0] ||
		!has_shape(layout, query->shape[0], 2))
		return 0;
	*heads = PyMem_Calloc(query->shape[0] + 1, sizeof(SketchHead));
	for (Py_ssize_t h = 0; *heads != NULL && h < query->shape[0]; h++)
		if (!get_sketch_head(query, layout, h, keys->shape[1] / 4, *heads + h))
			return 0;
	return *heads != NULL;
}

/* A query before keys row by row; false where they do not fit. */
static int
fits_rows(const Py_buffer *query, const Py_buffer *keys, const Py_buffer *scale)
{
	return query->shape[0] * query->shape[1] == keys->shape[1] &&
		query->strides[0] == query->itemsize * query->shape[1] &&
		query->format[0] == (keys->format[0] == 'b' ? 'h' : 'f') && has_shape(scale, 1, keys->shape[0]);
}

static enum Type
type_of_keys(const Py_buffer *keys)
{
	switch (keys->format[0])
	{
		case 'f':
			return FLOATS;
		case 'e':
			return HALVES;
		case 'b':
			return BYTES;
		default:
			return SKETCH;
	}
}

/* What is read: query, keys, present, scale, two bounds, their factors, usual, unit, layout. */
static int
get_keys(PyObject *const *given, Matrices *held, Sweep *s)
{
	const Py_buffer *query = hold(held, given[0], "query", "fhb", 0);
	const Py_buffer *keys = query ? hold(held, given[1], "keys", "efbB", 0) : NULL;
	const Py_buffer *usual = keys ? hold(held, given[7], "usual", "f", 0) : NULL;
	const Py_buffer *unit = usual ? hold(held, given[8], "unit", "f", 0) : NULL;
	const Py_buffer *present;
	const Py_buffer *scale;
	const Py_buffer *layout;
	Py_ssize_t	stored;

	if (unit == NULL || !hold_optional(held, given[2], "present", "lq", 0, &present) ||
		!hold_optional(held, given[3], "scale", "f", 0, &scale) ||
		!hold_optional(held, given[9], "layout", "i", 0, &layout))
		return 0;
	s->type = type_of_keys(keys);
	stored = scale != NULL ? scale->shape[1] : keys->shape[0];
	if (query->shape[0] > INT_MAX ||
		!(s->type == SKETCH ? get_sketch(query, keys, scale, layout, &s->sketch) : fits_rows(query, keys, scale)) ||
		!has_shape(usual, 1, query->shape[0]) || !has_shape(unit, 1, query->shape[0]) ||
		!has_shape(scale, 1, stored) || !has_shape(present, 1, present ? present->shape[1] : 0) ||
		(present != NULL && (present->itemsize != 8 || !present_rows_exist(present, stored))))
	{
		PyErr_SetString(PyExc_ValueError, "query, keys, present rows and scale do not fit");
		return 0;
	}
	s->query = query->buf;
	s->keys = keys->buf;
	s->usual = usual->buf;
	s->unit = unit->buf;
	s->present = present != NULL ? present->buf : NULL;
	s->scale = scale != NULL ? scale->buf : NULL;
	s->rows = present != NULL ? present->shape[1] : stored;
	s->heads = (int) query->shape[0];
	s->width = query->shape[1];
	s->key_stride = keys->strides[0] / keys->itemsize;
	return get_bounds(given + 4, held, stored, query->shape[0], s);
}

/* What is written: weights, maxima, sums, most, squares. */
static int
get_results(PyObject *const *given, Matrices *held, Sweep *s)
{
	const Py_buffer *weights = hold(held, given[0], "weights", "f", PyBUF_WRITABLE);
	const Py_buffer *maxima = weights ? hold(held, given[1], "maxima", "f", PyBUF_WRITABLE) : NULL;
	const Py_buffer *sums = maxima ? hold(held, given[2], "sums", "d", PyBUF_WRITABLE) : NULL;
	const Py_buffer *most = sums ? hold(held, given[3], "most", "f", PyBUF_WRITABLE) : NULL;
	const Py_buffer *squares;

	if (most == NULL || !hold_optional(held, given[4], "squares", "f", PyBUF_WRITABLE, &squares))
		return 0;
	if (!has_shape(weights, s->heads, s->rows) || !has_shape(maxima, BLOCKS(s->rows), s->heads) ||
		!has_shape(sums, BLOCKS(s->rows), s->heads * (s->bound[0] != NULL ? SUMS_WITH_BOUNDS : 1)) ||
		!has_shape(most, BLOCKS(s->rows), s->bound[0] != NULL ? 3 : 0) || !has_shape(squares, 1, s->rows) ||
		(squares != NULL) != (s->type == FLOATS))
	{
		PyErr_SetString(PyExc_ValueError, "what is to be written does not fit");
		return 0;
	}
	s->weights = weights->buf;
	s->maxima = maxima->buf;
	s->sums = sums->buf;
	s->most = most->buf;
	s->squares = squares != NULL ? squares->buf : NULL;
	s->weight_stride = weights->strides[0] / 4;
	s->maxima_stride = maxima->strides[0] / 4;
	s->sums_stride = sums->strides[0] / 8;
	s->most_stride = most->strides[0] / 4;
	return 1;
}

static PyObject *
module_sweep(PyObject *self, PyObject *args)
{
	PyObject   *given[15];
	const char *name = NULL;
	Matrices	matrices = {.held = 0};
	Sweep		sweep = {.sketch = NULL};
	Run			run;
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOOOOnni|z:sweep", &given[0], &given[1], &given[2], &given[3], &given[4],
						  &given[5], &given[6], &given[7], &given[8], &given[9],
						  &given[10], &given[11], &given[12], &given[13], &given[14],
						  &run.first, &run.end, &run.threads, &name) ||
		(run.set = get_instruction_set(name)) < 0)
		return NULL;
	done = get_keys(given, &matrices, &sweep) && get_results(given + 10, &matrices, &sweep) &&
		check_run(&run, BLOCKS(sweep.rows));
	if (done)
		run_with_interpreter_free(sweep_block[run.set], &sweep, &run);
	PyMem_Free(sweep.sketch);
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

/* Spread, reach and upper for bounds of scores; None for all three for none. */
static int
get_upper(PyObject *const *given, Matrices *held, Py_ssize_t rows, Py_ssize_t heads, Mix *m)
{
	const Py_buffer *spread;
	const Py_buffer *reach;
	const Py_buffer *upper;

	if (!hold_optional(held, given[0], "spread", "f", 0, &spread) ||
		!hold_optional(held, given[1], "reach", "f", 0, &reach) ||
		!hold_optional(held, given[2], "upper", "f", PyBUF_WRITABLE, &upper))
		return 0;
	m->spread = spread != NULL ? spread->buf : NULL;
	m->reach = reach != NULL ? reach->buf : NULL;
	m->upper = upper != NULL ? upper->buf : NULL;
	return (spread == NULL) == (reach == NULL) && (spread == NULL) == (upper == NULL) &&
		has_shape(spread, 1, rows) && has_shape(reach, 1, heads) && has_shape(upper, 1, rows);
}

static int
make_mix(PyObject *const *given, Matrices *held, Mix *m)
{
	const Py_buffer *weights = hold(held, given[0], "weights", "f", 0);
	const Py_buffer *factors = weights ? hold(held, given[1], "factors", "f", 0) : NULL;
	const Py_buffer *scores = factors ? hold(held, given[2], "scores", "f", PyBUF_WRITABLE) : NULL;
	const Py_buffer *tops = scores ? hold(held, given[3], "tops", "f", PyBUF_WRITABLE) : NULL;

	if (tops == NULL)
		return 0;
	m->weights = weights->buf;
	m->factors = factors->buf;
	m->scores = scores->buf;
	m->tops = tops->buf;
	m->rows = weights->shape[1];
	m->weight_stride = weights->strides[0] / 4;
	m->factors_stride = factors->strides[0] / 4;
	m->heads = (int) weights->shape[0];
	if (weights->shape[0] <= INT_MAX && has_shape(factors, BLOCKS(m->rows), m->heads) &&
		has_shape(scores, 1, m->rows) && has_shape(tops, 1, BLOCKS(m->rows)) &&
		get_upper(given + 4, held, m->rows, m->heads, m))
		return 1;
	if (!PyErr_Occurred())
		PyErr_SetString(PyExc_ValueError, "the arrays do not fit");
	return 0;
}

static PyObject *
module_mix(PyObject *self, PyObject *args)
{
	PyObject   *given[7];
	const char *name = NULL;
	Matrices	matrices = {.held = 0};
	Mix			mix;
	Run			run = {.first = 0};
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOOOi|z:mix", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5],
						  &given[6], &run.threads, &name) ||
		(run.set = get_instruction_set(name)) < 0)
		return NULL;
	done = make_mix(given, &matrices, &mix) &&
		run_all(mix_block[run.set], &mix, BLOCKS(mix.rows), &run);
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

static int
make_tile(PyObject *const *given, Matrices *held, Tile *t)
{
	const Py_buffer *products = hold(held, given[0], "products", "f", 0);
	const Py_buffer *least = products ? hold(held, given[1], "least", "f", 0) : NULL;
	const Py_buffer *sums = least ? hold(held, given[2], "sums", "d", PyBUF_WRITABLE) : NULL;
	const Py_buffer *hits = sums ? hold(held, given[3], "hits", "lq", PyBUF_WRITABLE) : NULL;
	const Py_buffer *counts = hits ? hold(held, given[4], "counts", "lq", PyBUF_WRITABLE) : NULL;

	if (counts == NULL)
		return 0;
	t->queries = products->shape[0];
	t->columns = products->shape[1];
	t->room = hits->shape[1];
	if (!has_shape(least, 1, t->queries) || !has_shape(sums, 1, t->queries) || hits->itemsize != 8 ||
		!has_shape(hits, QUERY_BLOCKS(t->queries), t->room) || hits->strides[0] != 8 * t->room ||
		counts->itemsize != 8 || !has_shape(counts, 1, QUERY_BLOCKS(t->queries)))
	{
		PyErr_SetString(PyExc_ValueError, "the arrays do not fit");
		return 0;
	}
	t->products = products->buf;
	t->least = least->buf;
	t->sums = sums->buf;
	t->hits = hits->buf;
	t->counts = counts->buf;
	t->product_stride = products->strides[0] / 4;
	return 1;
}

static PyObject *
module_tile(PyObject *self, PyObject *args)
{
	PyObject   *given[5];
	const char *name = NULL;
	Matrices	matrices = {.held = 0};
	Tile		tile;
	Run			run = {.first = 0};
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOpi|z:tile", &given[0], &given[1], &given[2], &given[3], &given[4],
						  &tile.as_they_are, &run.threads, &name) ||
		(run.set = get_instruction_set(name)) < 0)
		return NULL;
	done = make_tile(given, &matrices, &tile) &&
		run_all(tile_block[run.set], &tile, QUERY_BLOCKS(tile.queries), &run);
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef methods[] = {
	{"sweep", module_sweep, METH_VARARGS,
	"sweep(query, keys, present, scale, bound, spread, factors, usual, unit, layout, weights, maxima, sums, most, squares, first, end, threads, variant=None): "
	"blocks first to end of the weights of a query, see sweep.pyi"},
	{"mix", module_mix, METH_VARARGS,
	"mix(weights, factors, scores, tops, spread, reach, upper, threads, variant=None): sums of weights by factors, "
	"see sweep.pyi"},
	{"tile", module_tile, METH_VARARGS,
	"tile(products, least, sums, hits, counts, as_they_are, threads, variant=None): sums and largest of products, "
	"see sweep.pyi"},
	{"variants", module_variants, METH_NOARGS, "variants() -> names of what this processor can run, the fastest first"},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "sweep",
	.m_doc = "Softmax weights of one query in one pass over the keys.",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC
PyInit_sweep(void)
{
	PyObject   *made = PyModule_Create(&module);

	if (made != NULL && (PyModule_AddIntMacro(made, BLOCK) < 0 || PyModule_AddIntMacro(made, TILE_KEYS) < 0 ||
						  PyModule_AddIntMacro(made, QUERIES_OF_A_BLOCK) < 0))
		Py_CLEAR(made);
	return made;
}
