/*
 * dots.c: dot products of one query's heads with many keys, and the keys' squares,
 * in one pass over the keys.
 *
 * BLAS has no call for several heads of one query: a product for each head reads
 * the keys in slices, which takes twice as long as their memory does. Here a key is
 * read once. The sums of 4 to 16 keys are added up together, by transposing them.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>

typedef struct Problem
{
	const float *query;
	const float *keys;
	float	   *out;
	float	   *squares;
	ptrdiff_t	rows;
	ptrdiff_t	width;			/* of a head */
	ptrdiff_t	key_stride;		/* floats between two keys */
	ptrdiff_t	out_stride;		/* and between two heads of out */
	int			heads;
} Problem;

#define BODY "dots_body.h"
#include "variants.h"
#include "arguments.h"

static void (*const head_dots[]) (const Problem *problem) = OF_EACH_SET(head_dots);

static int
make_problem(const Py_buffer *query, const Py_buffer *keys, const Py_buffer *out, const Py_buffer *squares,
			 Problem *problem)
{
	const Py_ssize_t heads = query->shape[0];
	const Py_ssize_t width = query->shape[1];

	if (heads * width != keys->shape[1] || query->strides[0] != 4 * width || heads > INT_MAX ||
		!has_shape(out, heads, keys->shape[0]) || !has_shape(squares, 1, keys->shape[0]))
	{
		PyErr_SetString(PyExc_ValueError, "query (H, w), keys (n, H * w), out (H, n) and squares (1, n) do not fit");
		return 0;
	}
	*problem = (Problem) {
		query->buf, keys->buf, out->buf, squares->buf, keys->shape[0], width,
		keys->strides[0] / 4, out->strides[0] / 4, (int) heads
	};
	return 1;
}

static PyObject *
module_head_dots(PyObject *self, PyObject *args)
{
	PyObject   *given[4];
	Matrices	held = {.held = 0};
	const Py_buffer *query;
	const Py_buffer *keys;
	const Py_buffer *out;
	const Py_buffer *squares;
	const char *name = NULL;
	Problem		problem;
	int			set;
	int			done = 0;

	if (!PyArg_ParseTuple(args, "OOOO|z:head_dots", &given[0], &given[1], &given[2], &given[3], &name) ||
		(set = get_instruction_set(name)) < 0)
		return NULL;
	if ((query = hold(&held, given[0], "query", "f", 0)) != NULL &&
		(keys = hold(&held, given[1], "keys", "f", 0)) != NULL &&
		(out = hold(&held, given[2], "out", "f", PyBUF_WRITABLE)) != NULL &&
		(squares = hold(&held, given[3], "squares", "f", PyBUF_WRITABLE)) != NULL &&
		make_problem(query, keys, out, squares, &problem))
	{
		Py_BEGIN_ALLOW_THREADS
		head_dots[set] (&problem);
		Py_END_ALLOW_THREADS
		done = 1;
	}
	let_go(&held);
	return done ? Py_NewRef(Py_None) : NULL;
}

/* ---- in float64 ---- */

#define SUMS 8

/* A product in float64, each term added to one of SUMS sums, always in this order: equal keys get equal products. */
#define EXACT_DOT(NAME, ELEMENT) \
static double \
NAME(const double *query, const ELEMENT *key, ptrdiff_t width) \
{ \
	double		sums[SUMS] = {0}; \
	ptrdiff_t	at = 0; \
 \
	for (; at + SUMS <= width; at += SUMS) \
		for (int i = 0; i < SUMS; i++) \
			sums[i] += query[at + i] * (double) key[at + i]; \
	for (int i = 0; at + i < width; i++) \
		sums[i] += query[at + i] * (double) key[at + i]; \
	return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])); \
}

EXACT_DOT(dot_of_floats, float)
EXACT_DOT(dot_of_doubles, double)

/* Of the keys at `rows`, all where these are NULL. */
static void
exact_dots(const Py_buffer *query, const Py_buffer *keys, const int64_t *rows, const Py_buffer *out)
{
	const ptrdiff_t width = query->shape[1];

	for (Py_ssize_t i = 0; i < out->shape[1]; i++)
	{
		const char *key = (const char *) keys->buf + (rows ? rows[i] : i) * keys->strides[0];

		for (Py_ssize_t h = 0; h < query->shape[0]; h++)
		{
			const double *slice = (const double *) ((const char *) query->buf + h * query->strides[0]);
			double	   *dot = (double *) ((char *) out->buf + h * out->strides[0]) + i;

			*dot = keys->format[0] == 'f' ? dot_of_floats(slice, (const float *) key + h * width, width) :
				dot_of_doubles(slice, (const double *) key + h * width, width);
		}
	}
}

static int
exact_dots_fit(const Py_buffer *query, const Py_buffer *keys, const Py_buffer *rows, const Py_buffer *out)
{
	const Py_ssize_t count = rows ? rows->shape[1] : keys->shape[0];
	const int64_t *places = rows ? rows->buf : NULL;

	if (query->shape[0] * query->shape[1] != keys->shape[1] || !has_shape(out, query->shape[0], count) ||
		!has_shape(rows, 1, count))
	{
		PyErr_SetString(PyExc_ValueError, "query (H, w), keys (n, H * w), rows (1, c) and out (H, c) do not fit");
		return 0;
	}
	for (Py_ssize_t i = 0; places != NULL && i < count; i++)
		if (places[i] < 0 || places[i] >= keys->shape[0])
		{
			PyErr_Format(PyExc_IndexError, "there is no row %lld of %zd", (long long) places[i], keys->shape[0]);
			return 0;
		}
	return 1;
}

static PyObject *
module_exact_dots(PyObject *self, PyObject *args)
{
	PyObject   *given[4];
	Matrices	held = {.held = 0};
	const Py_buffer *query;
	const Py_buffer *keys;
	const Py_buffer *out;
	const Py_buffer *rows = NULL;
	int			done = 0;

	if (!PyArg_ParseTuple(args, "OOOO:exact_dots", &given[0], &given[1], &given[2], &given[3]))
		return NULL;
	if ((query = hold(&held, given[0], "query", "d", 0)) != NULL &&
		(keys = hold(&held, given[1], "keys", "fd", 0)) != NULL &&
		(given[2] == Py_None || (rows = hold(&held, given[2], "rows", "lq", 0)) != NULL) &&
		(out = hold(&held, given[3], "out", "d", PyBUF_WRITABLE)) != NULL &&
		exact_dots_fit(query, keys, rows, out))
	{
		Py_BEGIN_ALLOW_THREADS
		exact_dots(query, keys, rows ? rows->buf : NULL, out);
		Py_END_ALLOW_THREADS
		done = 1;
	}
	let_go(&held);
	return done ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef methods[] = {
	{"exact_dots", module_exact_dots, METH_VARARGS,
	"exact_dots(query, keys, rows, out): out[h, i] = <query[h], h-th slice of keys[rows[0, i]]>, None for all keys, "
	"in float64; keys may be float32"},
	{"head_dots", module_head_dots, METH_VARARGS,
	"head_dots(query, keys, out, squares, variant=None): out[h, j] = <query[h], h-th slice of keys[j]>, "
	"squares[0, j] = <keys[j], keys[j]>, all float32"},
	{"variants", module_variants, METH_NOARGS, "variants() -> names of what this processor can run, the fastest first"},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "dots",
	.m_doc = "Dot products of heads with keys.",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC
PyInit_dots(void)
{
	return PyModule_Create(&module);
}
