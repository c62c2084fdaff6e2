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

static PyMethodDef methods[] = {
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
