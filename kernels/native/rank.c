/*
 * rank.c: the softmax over float64 logits of some keys, and the best of these in order.
 *
 * Of ten keys numpy's calls take twenty times as long as what they compute.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "matrices.h"

static const double *
row_of(const Py_buffer *matrix, Py_ssize_t row)
{
	return (const double *) ((const char *) matrix->buf + row * matrix->strides[0]);
}

/* What is no number comes last: given no order, qsort may write beside its array. */
static int
larger_first(double a, double b)
{
	if (isnan(a) || isnan(b))
		return !!isnan(a) - !!isnan(b);
	return (a < b) - (a > b);
}

static int
refuse(const char *what)
{
	PyErr_SetString(PyExc_ValueError, what);
	return 0;
}

/* ---- state(logits, maximum, total) ---- */

/* Returns the largest magnitude, NaN where there is one. */
static double
sum_up(const Py_buffer *logits, double *maximum, double *total)
{
	double		reach = 0;

	for (Py_ssize_t h = 0; h < logits->shape[0]; h++)
	{
		const double *row = row_of(logits, h);

		maximum[h] = -INFINITY;
		total[h] = 0;
		for (Py_ssize_t i = 0; i < logits->shape[1]; i++)
		{
			maximum[h] = fmax(maximum[h], row[i]);
			if (isnan(row[i]) || fabs(row[i]) > reach)
				reach = fabs(row[i]);
		}
		for (Py_ssize_t i = 0; i < logits->shape[1]; i++)
			total[h] += exp(row[i] - maximum[h]);
	}
	return reach;
}

static PyObject *
module_state(PyObject *self, PyObject *args)
{
	PyObject   *given[3];
	Matrices	held = {.held = 0};
	const Py_buffer *logits;
	const Py_buffer *maximum;
	const Py_buffer *total;
	PyObject   *reach = NULL;

	if (!PyArg_ParseTuple(args, "OOO:state", &given[0], &given[1], &given[2]))
		return NULL;
	if ((logits = hold(&held, given[0], "logits", "d", 0)) != NULL &&
		(maximum = hold(&held, given[1], "maximum", "d", PyBUF_WRITABLE)) != NULL &&
		(total = hold(&held, given[2], "total", "d", PyBUF_WRITABLE)) != NULL &&
		((has_shape(maximum, 1, logits->shape[0]) && has_shape(total, 1, logits->shape[0])) ||
		 refuse("logits (H, n), maximum (1, H) and total (1, H) do not fit")))
		reach = PyFloat_FromDouble(sum_up(logits, maximum->buf, total->buf));
	let_go(&held);
	return reach;
}

static PyObject *
finish(Matrices *held, int done)
{
	let_go(held);
	return done ? Py_NewRef(Py_None) : NULL;
}

/* Logits (H, c) of some keys, and the softmax over all, of each head. */
typedef struct Whole
{
	const Py_buffer *logits;
	const double *maximum;
	const double *total;
} Whole;

static double
weight_of(const Whole *whole, Py_ssize_t head, int64_t row)
{
	return exp(row_of(whole->logits, head)[row] - whole->maximum[head]) / whole->total[head];
}

/* ---- best(logits, ids, maximum, total, order, score, logit, head_scores, lse) ---- */

typedef struct Ranked
{
	double		key;			/* larger ones first */
	float		logit;			/* then these */
	int64_t		id;				/* then smaller ones */
	int64_t		row;
	double		score;
} Ranked;

typedef struct Answer
{
	Whole		whole;
	const int64_t *ids;
	int64_t    *order;
	float	   *score;
	float	   *logit;
	const Py_buffer *head_scores;
	double	   *lse;
} Answer;

static int
compare(const void *left, const void *right)
{
	const Ranked *a = left;
	const Ranked *b = right;
	int			order = larger_first(a->key, b->key);

	if (order == 0)
		order = larger_first(a->logit, b->logit);
	return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* One softmax orders rows as its logits do; a mean of several is taken as its logarithm, see `_log_or_below`. */
static void
set_keys(Ranked *ranked, const Answer *answer)
{
	const Py_ssize_t heads = answer->whole.logits->shape[0];
	const Py_ssize_t count = answer->whole.logits->shape[1];
	double		highest = 0;

	for (Py_ssize_t i = 0; i < count; i++)
	{
		double		logit = 0;
		double		score = 0;

		for (Py_ssize_t h = 0; h < heads; h++)
		{
			logit += row_of(answer->whole.logits, h)[i];
			score += weight_of(&answer->whole, h, i);
		}
		ranked[i] = (Ranked) {logit / heads, (float) (logit / heads), answer->ids[i], i, score / heads};
		highest = fmax(highest, ranked[i].key);
	}
	for (Py_ssize_t i = 0; i < count; i++)
	{
		if (heads > 1)
			ranked[i].key = ranked[i].score >= FLT_MIN ? log(ranked[i].score) :
				ranked[i].key - 100 - highest * (1 + 8 * FLT_EPSILON);
	}
}

/* Rounding to float32 shows no row with a larger score than the row before it. */
static void
write_best(const Ranked *ranked, const Answer *answer, Py_ssize_t k)
{
	float		last = INFINITY;

	for (Py_ssize_t i = 0; i < k; i++)
	{
		const float score = (float) ranked[i].score;

		answer->order[i] = ranked[i].row;
		answer->logit[i] = ranked[i].logit;
		answer->score[i] = last = score > last ? last : score;
		for (Py_ssize_t h = 0; h < answer->whole.logits->shape[0]; h++)
			((float *) row_of(answer->head_scores, h))[i] = (float) weight_of(&answer->whole, h, ranked[i].row);
	}
}

static int
rank(const Answer *answer, Py_ssize_t k)
{
	const Py_ssize_t count = answer->whole.logits->shape[1];
	Ranked	   *ranked = malloc((count + 1) * sizeof(Ranked));

	if (ranked == NULL)
	{
		PyErr_NoMemory();
		return 0;
	}
	set_keys(ranked, answer);
	qsort(ranked, count, sizeof(Ranked), compare);
	write_best(ranked, answer, k);
	for (Py_ssize_t h = 0; h < answer->whole.logits->shape[0]; h++)
		answer->lse[h] = answer->whole.maximum[h] + log(answer->whole.total[h]);
	free(ranked);
	return 1;
}

static PyObject *
module_best(PyObject *self, PyObject *args)
{
	static const char *const names[] = {"logits", "ids", "maximum", "total", "order", "score", "logit", "head_scores",
	"lse"};
	static const char *const formats[] = {"d", "lq", "d", "d", "lq", "f", "f", "f", "d"};
	PyObject   *given[9];
	const Py_buffer *views[9];
	Matrices	held = {.held = 0};
	Py_ssize_t	heads;
	Py_ssize_t	k;

	if (!PyArg_ParseTuple(args, "OOOOOOOOO:best", &given[0], &given[1], &given[2], &given[3],
						  &given[4], &given[5], &given[6], &given[7], &given[8]))
		return NULL;
	for (int i = 0; i < 9; i++)
		if ((views[i] = hold(&held, given[i], names[i], formats[i], i < 4 ? 0 : PyBUF_WRITABLE)) == NULL)
			return finish(&held, 0);
	heads = views[0]->shape[0];
	k = views[4]->shape[1];
	if (heads < 1 || k > views[0]->shape[1] || !has_shape(views[1], 1, views[0]->shape[1]) ||
		!has_shape(views[2], 1, heads) || !has_shape(views[3], 1, heads) || !has_shape(views[4], 1, k) ||
		!has_shape(views[5], 1, k) || !has_shape(views[6], 1, k) || !has_shape(views[7], heads, k) || !has_shape(views[8], 1, heads))
		return finish(&held, refuse("logits (H, c), ids (1, c), maximum, total and lse (1, H), "
									"order, score and logit (1, k) and head_scores (H, k) do not fit"));
	return finish(&held, rank(&(Answer) {{views[0], views[2]->buf, views[3]->buf}, views[1]->buf,
							  views[4]->buf, views[5]->buf, views[6]->buf, views[7], views[8]->buf}, k));
}

/* ---- settled(logits, maximum, total, doubt, k) ---- */

/* Rows by their scores, of which each head's weight may be off by its doubt, relative. */
typedef struct Doubtful
{
	Whole		whole;
	const double *doubt;
	double	   *weights;		/* (H, c) */
	double		most;			/* of the doubts */
} Doubtful;

typedef struct Scored
{
	double		score;
	Py_ssize_t	row;
} Scored;

static int
by_score(const void *left, const void *right)
{
	return larger_first(((const Scored *) left)->score, ((const Scored *) right)->score);
}

static void
score_rows(const Doubtful *d, Scored *scored)
{
	const Py_ssize_t count = d->whole.logits->shape[1];

	for (Py_ssize_t i = 0; i < count; i++)
		scored[i] = (Scored) {0, i};
	for (Py_ssize_t h = 0; h < d->whole.logits->shape[0]; h++)
		for (Py_ssize_t i = 0; i < count; i++)
		{
			const double weight = weight_of(&d->whole, h, i);

			d->weights[h * count + i] = weight;
			scored[i].score += weight / d->whole.logits->shape[0];
		}
}

/* Whether both scores can be told from 0, and their order is one wherever in their doubts the weights are. */
static int
are_apart(const Doubtful *d, const Scored *ahead, const Scored *behind)
{
	const Py_ssize_t heads = d->whole.logits->shape[0];
	const Py_ssize_t count = d->whole.logits->shape[1];
	double		doubt = 0;

	for (Py_ssize_t h = 0; h < heads; h++)
		doubt += d->doubt[h] * fabs(d->weights[h * count + ahead->row] - d->weights[h * count + behind->row]);
	return behind->score * (1 - d->most) > FLT_MIN && (ahead->score - behind->score) * heads > doubt;
}

static int
are_equal(const Doubtful *d, Py_ssize_t a, Py_ssize_t b)
{
	for (Py_ssize_t h = 0; h < d->whole.logits->shape[0]; h++)
		if (row_of(d->whole.logits, h)[a] != row_of(d->whole.logits, h)[b])
			return 0;
	return 1;
}

/* Whether the order of a row and one with no larger score is certain. Scores below FLT_MIN count 0. */
static int
is_certain(const Doubtful *d, const Scored *ahead, const Scored *behind)
{
	const int	gone = behind->score * (1 + d->most) < FLT_MIN;
	const int	told = ahead->score * (1 - d->most) > FLT_MIN || ahead->score * (1 + d->most) < FLT_MIN;

	return are_apart(d, ahead, behind) || (gone && told) || are_equal(d, ahead->row, behind->row);
}

static int
is_settled(Doubtful *d, Py_ssize_t k)
{
	const Py_ssize_t count = d->whole.logits->shape[1];
	Scored	   *scored = malloc((count + 1) * sizeof(Scored));
	int			settled = 1;

	d->weights = malloc((d->whole.logits->shape[0] * count + 1) * sizeof(double));
	if (scored == NULL || d->weights == NULL)
	{
		PyErr_NoMemory();
		settled = -1;
	}
	else
	{
		score_rows(d, scored);
		qsort(scored, count, sizeof(Scored), by_score);
		for (Py_ssize_t i = 1; i < count && settled; i++)
			settled = is_certain(d, &scored[i < k ? i - 1 : k - 1], &scored[i]);
	}
	free(d->weights);
	free(scored);
	return settled;
}

static PyObject *
module_settled(PyObject *self, PyObject *args)
{
	PyObject   *given[4];
	const Py_buffer *views[4];
	Matrices	held = {.held = 0};
	Doubtful	doubtful;
	Py_ssize_t	k;
	int			settled = -1;

	if (!PyArg_ParseTuple(args, "OOOOn:settled", &given[0], &given[1], &given[2], &given[3], &k))
		return NULL;
	for (int i = 0; i < 4; i++)
		if ((views[i] = hold(&held, given[i], "logits, maximum, total and doubt", "d", 0)) == NULL)
			return finish(&held, 0);
	if (k < 1 || !has_shape(views[1], 1, views[0]->shape[0]) || !has_shape(views[2], 1, views[0]->shape[0]) ||
		!has_shape(views[3], 1, views[0]->shape[0]))
		return finish(&held, refuse("logits (H, c), maximum, total and doubt (1, H) do not fit"));
	doubtful = (Doubtful) {.whole = {views[0], views[1]->buf, views[2]->buf}, .doubt = views[3]->buf};
	for (Py_ssize_t h = 0; h < views[0]->shape[0]; h++)
		if (isnan(doubtful.doubt[h]) || doubtful.doubt[h] > doubtful.most)
			doubtful.most = doubtful.doubt[h];
	settled = is_settled(&doubtful, k);
	let_go(&held);
	return settled < 0 ? NULL : PyBool_FromLong(settled);
}

static PyMethodDef methods[] = {
	{"settled", module_settled, METH_VARARGS,
	"settled(logits, maximum, total, doubt, k): whether the order of the first k rows is certain"},
	{"state", module_state, METH_VARARGS,
	"state(logits, maximum, total): the largest logit of each head, and the sum of exp(logit - maximum); "
	"returns the largest magnitude"},
	{"best", module_best, METH_VARARGS,
	"best(logits, ids, maximum, total, order, score, logit, head_scores, lse): the first rows by score, logit and id"},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "rank",
	.m_doc = "The softmax over logits, and the best rows by it.",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC
PyInit_rank(void)
{
	return PyModule_Create(&module);
}
