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
#include <string.h>

/* Heads summed at a time, so that the sums stay in the first-level cache. */
#define GROUP 32
/* Keys read side by side: memory gives more when it is asked for several things at once. */
#define TOGETHER 4
/* How many floats ahead of its use memory is asked for. */
#define AHEAD 2048

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

typedef void (*HeadDots) (const Problem *problem);

#define UNALIGNED(vector, p) (*(const vector *) (p))

#if defined(__x86_64__)
#include <immintrin.h>

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,prefer-vector-width=512")))
#define LANES 16
#define LOAD(p) UNALIGNED(unaligned_avx512, p)
#define LOAD_PART(p, n) ((vector_avx512) _mm512_maskz_loadu_ps((__mmask16) ((1u << (n)) - 1), (p)))
#include "dots.h"

static const int part_avx2[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define LOAD(p) UNALIGNED(unaligned_avx2, p)
#define LOAD_PART(p, n) \
	((vector_avx2) _mm256_maskload_ps((p), _mm256_loadu_si256((const __m256i *) (part_avx2 + 8 - (n)))))
#include "dots.h"
#endif

/* 128 bits, which every processor that PostgreSQL runs on has in some form. */
typedef float part_of_four __attribute__((vector_size(16)));

static inline part_of_four
load_part_of_four(const float *p, ptrdiff_t n)
{
	part_of_four part = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};

	return part;
}

#define NAME(x) x##_four
#define TARGET
#define LANES 4
#define LOAD(p) UNALIGNED(unaligned_four, p)
#define LOAD_PART(p, n) ((vector_four) load_part_of_four((p), (n)))
#include "dots.h"

/* ---- Python ---- */

typedef struct Variant
{
	const char *name;
	HeadDots	run;
} Variant;

/* What this processor can run, the fastest first. */
static int
find_variants(Variant *found)
{
	int			count = 0;

#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		found[count++] = (Variant) {"avx512", head_dots_avx512};
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		found[count++] = (Variant) {"avx2", head_dots_avx2};
#endif
	found[count++] = (Variant) {"four", head_dots_four};
	return count;
}

static Variant variants[3];
static int	nvariants;

/* NULL with an exception set where this processor has no such variant. */
static HeadDots
variant_of(const char *name)
{
	for (int i = 0; i < nvariants; i++)
		if (name == NULL || strcmp(variants[i].name, name) == 0)
			return variants[i].run;
	PyErr_Format(PyExc_ValueError, "this processor has no %s", name);
	return NULL;
}

/* float32 (rows, columns) with columns side by side; false with an exception set. */
static int
get_matrix(PyObject *object, Py_buffer *view, const char *what, int flags)
{
	if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT | flags) < 0)
		return 0;
	if (view->ndim == 2 && strcmp(view->format, "f") == 0 && view->strides[0] % 4 == 0 &&
		(view->strides[1] == 4 || view->shape[1] < 2))
		return 1;
	PyErr_Format(PyExc_ValueError, "%s must be a matrix of float32, row by row", what);
	PyBuffer_Release(view);
	return 0;
}

static int
make_problem(const Py_buffer *query, const Py_buffer *keys, const Py_buffer *out, const Py_buffer *squares,
			 Problem *problem)
{
	const Py_ssize_t heads = query->shape[0];
	const Py_ssize_t width = query->shape[1];

	if (heads * width != keys->shape[1] || query->strides[0] != 4 * width || heads > INT_MAX ||
		out->shape[0] != heads || out->shape[1] != keys->shape[0] ||
		squares->shape[0] != 1 || squares->shape[1] != keys->shape[0])
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
	static const char *const names[] = {"query", "keys", "out", "squares"};
	PyObject   *given[4];
	Py_buffer	views[4];
	const char *name = NULL;
	Problem		problem;
	HeadDots	head_dots;
	int			held = 0;
	int			done = 0;

	if (!PyArg_ParseTuple(args, "OOOO|z:head_dots", &given[0], &given[1], &given[2], &given[3], &name) ||
		(head_dots = variant_of(name)) == NULL)
		return NULL;
	while (held < 4 && get_matrix(given[held], &views[held], names[held], held < 2 ? 0 : PyBUF_WRITABLE))
		held++;
	if (held == 4 && make_problem(&views[0], &views[1], &views[2], &views[3], &problem))
	{
		Py_BEGIN_ALLOW_THREADS
		head_dots(&problem);
		Py_END_ALLOW_THREADS
		done = 1;
	}
	while (held > 0)
		PyBuffer_Release(&views[--held]);
	return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *
module_variants(PyObject *self, PyObject *unused)
{
	PyObject   *names = PyTuple_New(nvariants);

	for (int i = 0; names != NULL && i < nvariants; i++)
	{
		PyObject   *name = PyUnicode_FromString(variants[i].name);

		if (name == NULL)
			Py_CLEAR(names);
		else
			PyTuple_SET_ITEM(names, i, name);
	}
	return names;
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
	nvariants = find_variants(variants);
	return PyModule_Create(&module);
}
