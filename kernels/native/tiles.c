/*
 * tiles.c: the output of attention for one query, by tiles of keys with the online softmax
 * (Milakov and Gimelshein 2018; Dao 2023).
 *
 * What is held beside the arrays given is a tile of logits and a row of sums, however many
 * keys there are. Sums over a tile are float32, those over tiles float64.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <stddef.h>

/* Keys of a tile; a multiple of the lanes of every instruction set. */
#define TILE 128
/* Values summed at a time. */
#define ROWS 8
/* Bytes of the longest vector, whose loads are best from where no border of these is crossed. */
#define BORDER 64

typedef struct Problem
{
	const double *query;		/* NULL where logits are given */
	const float *keys;
	const double *logits;		/* NULL where a query is given */
	const float *values;
	float	   *output;
	double	   *lse;
	ptrdiff_t	rows;
	ptrdiff_t	width;			/* of a head of the keys */
	ptrdiff_t	value_width;	/* and of the values */
	ptrdiff_t	key_stride;
	ptrdiff_t	logit_stride;
	ptrdiff_t	value_stride;
	double		factor;			/* of the query */
	double		limit;			/* of the length of a head's query, or of the size of a logit */
	int			heads;
} Problem;

/* What is folded, tile by tile. */
typedef struct Folded
{
	double	   *totals;			/* of each column, the sum of e^(logit - maximum) * value */
	double	   *masses;			/* of each head, the sum of e^(logit - maximum) */
	double	   *shifts;			/* what was taken from the logits given, so that float32 keeps what counts */
	float	   *maxima;
	float	   *sums;			/* totals of a tile */
	float	   *tile;			/* logits (heads, TILE), then weights */
	float	   *query;
} Folded;

#define BODY "tiles_body.h"
#include "variants.h"
#include "arguments.h"

static int (*const attend[]) (const Problem *problem, Folded *folded) = OF_EACH_SET(attend);

/* The first place from `place` on that is as far behind a border as `rows` are. */
static float *
place_like(const float *rows, float *place)
{
	return place + ((uintptr_t) rows - (uintptr_t) place) % BORDER / sizeof(float);
}

static size_t
working_bytes(const Problem *p)
{
	const size_t columns = p->heads * p->value_width;

	return (columns + 2 * (size_t) p->heads) * sizeof(double) +
		(columns + p->heads * (TILE + 1 + (size_t) p->width)) * sizeof(float) + 4 * BORDER;
}

static void
place_sums(const Problem *p, void *memory, Folded *folded)
{
	const ptrdiff_t columns = p->heads * p->value_width;

	folded->totals = memory;
	folded->masses = folded->totals + columns;
	folded->shifts = folded->masses + p->heads;
	folded->maxima = (float *) (folded->shifts + p->heads);
	folded->tile = folded->maxima + p->heads;
	folded->query = place_like(p->keys, folded->tile + p->heads * TILE);
	folded->sums = place_like(p->values, folded->query + p->heads * p->width + BORDER / sizeof(float));
	for (int h = 0; h < p->heads; h++)
		folded->maxima[h] = -INFINITY;
}

static PyObject *
run_problem(const Problem *p, int set)
{
	void	   *memory = PyMem_RawCalloc(1, working_bytes(p));
	Folded		folded;
	int			done;

	if (memory == NULL)
		return PyErr_NoMemory();
	Py_BEGIN_ALLOW_THREADS
	place_sums(p, memory, &folded);
	done = attend[set] (p, &folded);
	Py_END_ALLOW_THREADS
	PyMem_RawFree(memory);
	return PyBool_FromLong(done);
}

/* ---- Python ---- */

/* Values (n, H * v), output (1, H * v) and lse (1, H) for so many heads and rows. */
static int
results_fit(const Py_buffer *values, const Py_buffer *output, const Py_buffer *lse, Py_ssize_t heads, Py_ssize_t rows)
{
	return heads > 0 && heads <= INT_MAX / TILE && rows > 0 && values->shape[0] == rows && values->shape[1] % heads == 0 &&
		has_shape(output, 1, values->shape[1]) && has_shape(lse, 1, heads);
}

static void
set_results(Problem *p, const Py_buffer *values, const Py_buffer *output, const Py_buffer *lse)
{
	p->values = values->buf;
	p->value_stride = values->strides[0] / 4;
	p->value_width = values->shape[1] / p->heads;
	p->output = output->buf;
	p->lse = lse->buf;
}

static int
make_of_query(const Py_buffer *v, Problem *p)
{
	const Py_buffer *query = &v[0];
	const Py_buffer *keys = &v[1];
	const Py_ssize_t heads = query->shape[0];
	const Py_ssize_t width = query->shape[1];

	if (!results_fit(&v[2], &v[3], &v[4], heads, keys->shape[0]) || heads * width != keys->shape[1] ||
		query->strides[0] != 8 * width)
	{
		PyErr_SetString(PyExc_ValueError,
						"query (H, w), keys (n, H * w), values (n, H * v), output (1, H * v) and lse (1, H) "
						"do not fit, or are of no key");
		return 0;
	}
	*p = (Problem) {
		.query = query->buf, .keys = keys->buf, .rows = keys->shape[0], .width = width,
		.key_stride = keys->strides[0] / 4, .heads = (int) heads
	};
	set_results(p, &v[2], &v[3], &v[4]);
	return 1;
}

static int
make_of_logits(const Py_buffer *v, Problem *p)
{
	const Py_buffer *logits = &v[0];

	if (!results_fit(&v[1], &v[2], &v[3], logits->shape[0], logits->shape[1]))
	{
		PyErr_SetString(PyExc_ValueError,
						"logits (H, n), values (n, H * v), output (1, H * v) and lse (1, H) do not fit, "
						"or are of no key");
		return 0;
	}
	*p = (Problem) {
		.logits = logits->buf, .logit_stride = logits->strides[0] / 8, .rows = logits->shape[1],
		.heads = (int) logits->shape[0]
	};
	set_results(p, &v[1], &v[2], &v[3]);
	return 1;
}

/* The first and last of `count` matrices are of float64, the last two are results. */
static PyObject *
run_with(PyObject *const *given, const char *const *names, int count, double factor, double limit,
		 const char *variant, int (*make) (const Py_buffer *views, Problem *problem))
{
	Matrices	held = {.held = 0};
	Problem		problem;
	PyObject   *result = NULL;
	const int	set = get_instruction_set(variant);

	if (set < 0)
		return NULL;
	while (held.held < count &&
		   hold(&held, given[held.held], names[held.held], held.held == 0 || held.held == count - 1 ? "d" : "f",
				held.held < count - 2 ? 0 : PyBUF_WRITABLE) != NULL)
		continue;
	if (held.held == count && make(held.views, &problem))
	{
		problem.factor = factor;
		problem.limit = limit;
		result = run_problem(&problem, set);
	}
	let_go(&held);
	return result;
}

static PyObject *
module_of_query(PyObject *self, PyObject *args)
{
	static const char *const names[] = {"query", "keys", "values", "output", "lse"};
	PyObject   *given[5];
	double		factor;
	double		limit;
	const char *variant = NULL;

	if (!PyArg_ParseTuple(args, "OOOOOdd|z:of_query", &given[0], &given[1], &given[2], &given[3], &given[4], &factor,
						  &limit, &variant))
		return NULL;
	return run_with(given, names, 5, factor, limit, variant, make_of_query);
}

static PyObject *
module_of_logits(PyObject *self, PyObject *args)
{
	static const char *const names[] = {"logits", "values", "output", "lse"};
	PyObject   *given[4];
	double		limit;
	const char *variant = NULL;

	if (!PyArg_ParseTuple(args, "OOOOd|z:of_logits", &given[0], &given[1], &given[2], &given[3], &limit, &variant))
		return NULL;
	return run_with(given, names, 4, 1, limit, variant, make_of_logits);
}

static PyMethodDef methods[] = {
	{"of_query", module_of_query, METH_VARARGS,
	"of_query(query, keys, values, output, lse, factor, limit, variant=None) -> whether the output of the softmax over "
	"<factor * query[h], h-th slice of key> is finite and no head's factor * query longer than the limit"},
	{"of_logits", module_of_logits, METH_VARARGS,
	"of_logits(logits, values, output, lse, limit, variant=None) -> whether the output of their softmax is finite "
	"and no logit beyond the limit"},
	{"variants", module_variants, METH_NOARGS, "variants() -> names of what this processor can run, the fastest first"},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "tiles",
	.m_doc = "Outputs of attention, tile by tile.",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC
PyInit_tiles(void)
{
	return PyModule_Create(&module);
}
