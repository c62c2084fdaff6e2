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
/* An element of a sketch stands for that multiple of its four bits, less half of the other. */
#define SKETCH_STEP 16
#define TWICE_SKETCH_MIDDLE 241

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
	int8_t	   *digits;			/* for each column, of both its halves, four of 256 and four of 1 */
	int			first;			/* column */
	int			columns;
	int			offset;			/* what is to be taken from twice the step times the sums */
} SketchHead;

typedef struct Sweep
{
	const void *query;			/* of float32, or of int16 for bytes and sketches */
	SketchHead *sketch;			/* what it is before a sketch, by head; their digits lie behind them */
	const void *keys;
	const int32_t *present;		/* which of the stored keys count, NULL for all */
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
	ptrdiff_t	stored;			/* rows */
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
	float	   *upper_tops;
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
#include "sketch_query.h"

static const OfBlock sweep_block[] = OF_EACH_SET(sweep_block);
static const OfBlock logits_block[] = OF_EACH_SET(logits_block);
static const OfBlock mix_block[] = OF_EACH_SET(mix_block);
static const OfBlock tile_block[] = OF_EACH_SET(tile_block);

/* ---- Python ---- */

#define BLOCKS(rows) (((rows) + BLOCK - 1) / BLOCK)
#define QUERY_BLOCKS(queries) (((queries) + QUERIES_OF_A_BLOCK - 1) / QUERIES_OF_A_BLOCK)

static int
present_rows_exist(const Py_buffer *present, Py_ssize_t stored)
{
	const int32_t *rows = present->buf;
	int			exist = 1;

	for (Py_ssize_t i = 0; i < present->shape[1]; i++)
		exist &= rows[i] >= 0 && rows[i] < stored;
	return exist;
}

/* Writes the rows whose value is no less than that, in blocks of which these are the tops; how many they are. */
static Py_ssize_t
rows_at_least(const float *values, const float *tops, Py_ssize_t n, double least, int64_t *rows)
{
	Py_ssize_t	found = 0;

	for (Py_ssize_t start = 0; start < n; start += BLOCK)
	{
		const Py_ssize_t end = n - start < BLOCK ? n : start + BLOCK;

		if (!(tops[start / BLOCK] >= least))
			continue;
		for (Py_ssize_t row = start; row < end; row++)
		{
			rows[found] = row;
			found += values[row] >= least;
		}
	}
	return found;
}

/* A matrix that may be None, which leaves `view` NULL; false with an exception set. */
static int
hold_optional(Matrices *matrices, PyObject *object, const char *what, const char *formats, int flags,
			  const Py_buffer **view)
{
	*view = NULL;
	return object == Py_None || (*view = hold(matrices, object, what, formats, flags)) != NULL;
}

/*
 * Whether keys are rows, or tiles of a sketch, of the width of a query, and of as many scales.
 * Places of a head's sums are ints.
 */
static int
fit_query(const Py_buffer *keys, const Py_buffer *scale, const Py_buffer *query)
{
	const Py_ssize_t width = query->shape[0] * query->shape[1];

	if (query->shape[0] < 1 || query->shape[1] < 1 || width > INT_MAX / SUMS_WITH_BOUNDS ||
		query->strides[0] != query->itemsize * query->shape[1] ||
		query->format[0] != (keys->itemsize == 1 ? 'h' : 'f'))
		return 0;
	if (keys->format[0] == 'B')
		return keys->shape[1] == (width + 7) / 8 * 4 && keys->strides[0] == keys->shape[1] &&
			keys->shape[0] % TILE_KEYS == 0 && scale != NULL && scale->shape[0] == 1 && scale->shape[1] <= keys->shape[0];
	return keys->shape[1] == width && has_shape(scale, 1, keys->shape[0]);
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

/* What logits are made of: query, keys, present, scale, unit. */
static int
get_keys(PyObject *const *given, Matrices *held, Sweep *s)
{
	const Py_buffer *query = hold(held, given[0], "query", "fh", 0);
	const Py_buffer *keys = query ? hold(held, given[1], "keys", "efbB", 0) : NULL;
	const Py_buffer *unit = keys ? hold(held, given[4], "unit", "f", 0) : NULL;
	const Py_buffer *present;
	const Py_buffer *scale;

	if (unit == NULL || !hold_optional(held, given[2], "present", "i", 0, &present) ||
		!hold_optional(held, given[3], "scale", "f", 0, &scale))
		return 0;
	s->stored = scale != NULL ? scale->shape[1] : keys->shape[0];
	if (!fit_query(keys, scale, query) || !has_shape(unit, 1, query->shape[0]) ||
		!has_shape(present, 1, present ? present->shape[1] : 0) ||
		(present != NULL && !present_rows_exist(present, s->stored)))
	{
		PyErr_SetString(PyExc_ValueError, "query, keys, present rows and scale do not fit");
		return 0;
	}
	s->type = type_of_keys(keys);
	s->query = query->buf;
	s->keys = keys->buf;
	s->unit = unit->buf;
	s->present = present != NULL ? present->buf : NULL;
	s->scale = scale != NULL ? scale->buf : NULL;
	s->rows = present != NULL ? present->shape[1] : s->stored;
	s->heads = (int) query->shape[0];
	s->width = query->shape[1];
	s->key_stride = keys->strides[0] / keys->itemsize;
	return s->type != SKETCH || get_sketch(query, s);
}

/* Two bounds of each stored key, their factors for each head, and its usual logit; None for all of them for no bounds. */
static int
get_bounds(PyObject *const *given, Matrices *held, Sweep *s)
{
	const Py_buffer *views[4];
	int			none = 0;

	for (int i = 0; i < 4; i++)
	{
		if (!hold_optional(held, given[i], "bounds", "f", 0, &views[i]))
			return 0;
		none += views[i] == NULL;
	}
	if (none == 4)
		return 1;
	if (none > 0 || s->scale == NULL || !has_shape(views[0], 1, s->stored) || !has_shape(views[1], 1, s->stored) ||
		!has_shape(views[2], s->heads, 2) || views[2]->strides[0] != 8 || !has_shape(views[3], 1, s->heads))
	{
		PyErr_SetString(PyExc_ValueError, "the bounds do not fit");
		return 0;
	}
	for (int b = 0; b < 2; b++)
		s->bound[b] = views[b]->buf;
	s->factors = views[2]->buf;
	s->usual = views[3]->buf;
	return 1;
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
	PyObject   *given[14];
	const char *name = NULL;
	Matrices	matrices = {.held = 0};
	Sweep		sweep = {.sketch = NULL};
	Run			run;
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOOOOOOOOOOnni|z:sweep", &given[0], &given[1], &given[2], &given[3], &given[4],
						  &given[5], &given[6], &given[7], &given[8],
						  &given[9], &given[10], &given[11], &given[12], &given[13],
						  &run.first, &run.end, &run.threads, &name) ||
		(run.set = get_instruction_set(name)) < 0)
		return NULL;
	done = get_keys(given, &matrices, &sweep) && get_bounds(given + 5, &matrices, &sweep) &&
		get_results(given + 9, &matrices, &sweep) && check_run(&run, BLOCKS(sweep.rows));
	if (done)
		run_with_interpreter_free(sweep_block[run.set], &sweep, &run);
	PyMem_Free(sweep.sketch);
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

/* Adds up the sums of blocks, each times what its weights count; the last of four is of their squares. */
static void
add_blocks(const double *relative, const Py_buffer *sums, ptrdiff_t heads, ptrdiff_t of_head, double *out)
{
	for (ptrdiff_t block = 0; block < sums->shape[0]; block++)
	{
		const double *own = (const double *) ((const char *) sums->buf + block * sums->strides[0]);

		for (ptrdiff_t h = 0; h < heads; h++)
			for (ptrdiff_t i = 0; i < of_head; i++)
			{
				const double by = relative[block * heads + h];

				out[h * of_head + i] += own[h * of_head + i] * (i == 3 ? by * by : by);
			}
	}
}

static PyObject *
module_total(PyObject *self, PyObject *args)
{
	PyObject   *given[3];
	Matrices	matrices = {.held = 0};
	const Py_buffer *relative;
	const Py_buffer *sums;
	const Py_buffer *out;
	int			done = 0;

	if (!PyArg_ParseTuple(args, "OOO:total", &given[0], &given[1], &given[2]))
		return NULL;
	if ((relative = hold(&matrices, given[0], "relative", "d", 0)) != NULL &&
		(sums = hold(&matrices, given[1], "sums", "d", 0)) != NULL &&
		(out = hold(&matrices, given[2], "out", "d", PyBUF_WRITABLE)) != NULL)
	{
		done = relative->shape[0] == sums->shape[0] && relative->shape[1] == out->shape[0] &&
			sums->shape[1] == out->shape[0] * out->shape[1] && (out->shape[1] == 1 || out->shape[1] == SUMS_WITH_BOUNDS) &&
			relative->strides[0] == 8 * relative->shape[1] && out->strides[0] == 8 * out->shape[1];
		if (done)
			add_blocks(relative->buf, sums, out->shape[0], out->shape[1], out->buf);
		else
			PyErr_SetString(PyExc_ValueError, "the sums do not fit");
	}
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
module_logits(PyObject *self, PyObject *args)
{
	PyObject   *given[6];
	const char *name = NULL;
	Matrices	matrices = {.held = 0};
	Sweep		sweep = {.sketch = NULL};
	Run			run = {.first = 0, .threads = 1};
	const Py_buffer *out;
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOO|z:logits", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5],
						  &name) ||
		(run.set = get_instruction_set(name)) < 0)
		return NULL;
	done = get_keys(given, &matrices, &sweep) && (out = hold(&matrices, given[5], "out", "f", PyBUF_WRITABLE)) != NULL;
	if (done && (sweep.type == FLOATS || sweep.scale == NULL || !has_shape(out, sweep.heads, sweep.rows)))
	{
		PyErr_SetString(PyExc_ValueError, "the logits do not fit");
		done = 0;
	}
	if (done)
	{
		sweep.weights = out->buf;
		sweep.weight_stride = out->strides[0] / 4;
		done = run_all(logits_block[run.set], &sweep, BLOCKS(sweep.rows), &run);
	}
	PyMem_Free(sweep.sketch);
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

/* Spread, reach, upper and its tops for bounds of scores; None for all of them for none. */
static int
get_upper(PyObject *const *given, Matrices *held, Py_ssize_t rows, Py_ssize_t heads, Mix *m)
{
	const Py_buffer *views[4];
	int			none = 0;

	for (int i = 0; i < 4; i++)
	{
		if (!hold_optional(held, given[i], "bounds of scores", "f", i < 2 ? 0 : PyBUF_WRITABLE, &views[i]))
			return 0;
		none += views[i] == NULL;
	}
	if (none == 4)
		return 1;
	if (none > 0 || !has_shape(views[0], 1, rows) || !has_shape(views[1], 1, heads) || !has_shape(views[2], 1, rows) ||
		!has_shape(views[3], 1, BLOCKS(rows)))
		return 0;
	m->spread = views[0]->buf;
	m->reach = views[1]->buf;
	m->upper = views[2]->buf;
	m->upper_tops = views[3]->buf;
	return 1;
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
	PyObject   *given[8];
	const char *name = NULL;
	Matrices	matrices = {.held = 0};
	Mix			mix = {.spread = NULL};
	Run			run = {.first = 0};
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOOOOi|z:mix", &given[0], &given[1], &given[2], &given[3], &given[4], &given[5],
						  &given[6], &given[7], &run.threads, &name) ||
		(run.set = get_instruction_set(name)) < 0)
		return NULL;
	done = make_mix(given, &matrices, &mix) &&
		run_all(mix_block[run.set], &mix, BLOCKS(mix.rows), &run);
	let_go(&matrices);
	return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
module_at_least(PyObject *self, PyObject *args)
{
	PyObject   *given[3];
	double		least;
	Matrices	matrices = {.held = 0};
	const Py_buffer *values;
	const Py_buffer *tops;
	const Py_buffer *rows;
	Py_ssize_t	found = -1;

	if (!PyArg_ParseTuple(args, "OOdO:at_least", &given[0], &given[1], &least, &given[2]))
		return NULL;
	if ((values = hold(&matrices, given[0], "values", "f", 0)) != NULL &&
		(tops = hold(&matrices, given[1], "tops", "f", 0)) != NULL &&
		(rows = hold(&matrices, given[2], "rows", "lq", PyBUF_WRITABLE)) != NULL)
	{
		if (has_shape(values, 1, values->shape[1]) && has_shape(tops, 1, BLOCKS(values->shape[1])) &&
			has_shape(rows, 1, values->shape[1]))
			found = rows_at_least(values->buf, tops->buf, values->shape[1], least, rows->buf);
		else
			PyErr_SetString(PyExc_ValueError, "the arrays do not fit");
	}
	let_go(&matrices);
	return found < 0 ? NULL : PyLong_FromSsize_t(found);
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
	if (!has_shape(least, 1, t->queries) || !has_shape(sums, 1, t->queries) ||
		!has_shape(hits, QUERY_BLOCKS(t->queries), t->room) || hits->strides[0] != 8 * t->room ||
		!has_shape(counts, 1, QUERY_BLOCKS(t->queries)))
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
	"sweep(query, keys, present, scale, unit, bound, spread, factors, usual, weights, maxima, sums, most, squares, first, end, threads, variant=None): "
	"blocks first to end of the weights of a query, see sweep.pyi"},
	{"total", module_total, METH_VARARGS, "total(relative, sums, out): adds up the sums of blocks, see sweep.pyi"},
	{"logits", module_logits, METH_VARARGS,
	"logits(query, keys, present, scale, unit, out, variant=None): logits of a query, see sweep.pyi"},
	{"mix", module_mix, METH_VARARGS,
	"mix(weights, factors, scores, tops, spread, reach, upper, upper_tops, threads, variant=None): sums of weights by factors, "
	"see sweep.pyi"},
	{"at_least", module_at_least, METH_VARARGS, "at_least(values, tops, least, rows) -> how many rows it writes, see sweep.pyi"},
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
						  PyModule_AddIntMacro(made, SKETCH_STEP) < 0 || PyModule_AddIntMacro(made, TWICE_SKETCH_MIDDLE) < 0 ||
						  PyModule_AddIntMacro(made, QUERIES_OF_A_BLOCK) < 0))
		Py_CLEAR(made);
	return made;
}
