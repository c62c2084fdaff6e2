/*
 * flow.c: maximum flow over a graph of nearest nodes, by Dinic's algorithm, in pieces.
 *
 * All state is in arrays of the caller's, so that a call may end anywhere and the next go on there.
 * The node i has its arcs at starts[i] to ends[i]: first one to each of its k nearest, in their order,
 * then one to each other node that has i among its own. The partner of an arc is the one back.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "matrices.h"

/* Of an edge: a residual, which is twice as large at most, is an int32 then. */
#define LARGEST_CAPACITY (INT32_MAX / 2)

static PyObject *
finish(Matrices *held, int done)
{
	let_go(held);
	return done ? Py_NewRef(Py_None) : NULL;
}

static int
refuse(const char *what)
{
	PyErr_SetString(PyExc_ValueError, what);
	return 0;
}

typedef struct Arcs
{
	Py_ssize_t	nodes;
	Py_ssize_t	count;
	Py_ssize_t	nearest;		/* of each node */
	int64_t    *starts;
	int64_t    *ends;
	int32_t    *heads;
	int32_t    *partners;
} Arcs;

/* Takes bounds, heads and partners out of the arguments of a call. */
static int
get_arcs(Matrices *held, PyObject **given, int flags, Arcs *arcs)
{
	const Py_buffer *bounds;
	const Py_buffer *heads;
	const Py_buffer *partners;
	Py_ssize_t	nodes;
	Py_ssize_t	nearest;

	if ((bounds = hold(held, given[0], "bounds", "lq", flags)) == NULL ||
		(heads = hold(held, given[1], "heads", "i", flags)) == NULL ||
		(partners = hold(held, given[2], "partners", "i", flags)) == NULL)
		return 0;
	nodes = bounds->shape[1];
	nearest = nodes > 0 ? heads->shape[1] / 2 / nodes : 0;
	if (bounds->shape[0] != 2 || heads->shape[1] > INT32_MAX || !has_shape(heads, 1, 2 * nodes * nearest) ||
		!has_shape(partners, 1, heads->shape[1]))
		return refuse("bounds (2, n), heads and partners (1, 2 n k) do not fit");
	*arcs = (Arcs) {nodes, heads->shape[1], nearest, bounds->buf,
		(int64_t *) ((char *) bounds->buf + bounds->strides[0]), heads->buf, partners->buf};
	return 1;
}

/* What is given of each node and each of its nearest, in one piece. */
static const Py_buffer *
hold_of_nearest(Matrices *held, PyObject *object, const char *what, const char *formats, const Arcs *arcs)
{
	const Py_buffer *view = hold(held, object, what, formats, 0);

	if (view == NULL || (has_shape(view, arcs->nodes, arcs->nearest) && PyBuffer_IsContiguous(view, 'C')))
		return view;
	PyErr_Format(PyExc_ValueError, "%s (n, k), in one piece, and arcs (1, 2 n k) do not fit", what);
	return NULL;
}

static int
is_span(Py_ssize_t first, Py_ssize_t end, Py_ssize_t nodes)
{
	return (0 <= first && first <= end && end <= nodes) || refuse("first and end are no part of the nodes");
}

/* ---- scatter(bounds, heads, partners, rows, first, end) ---- */

static int
scatter(const Arcs *arcs, const int64_t *rows, Py_ssize_t first, Py_ssize_t end)
{
	for (Py_ssize_t node = first; node < end; node++)
		for (Py_ssize_t rank = 0; rank < arcs->nearest; rank++)
		{
			const int64_t other = rows[node * arcs->nearest + rank];
			const int64_t arc = arcs->starts[node] + rank;
			int64_t		slot;

			if (other < 0 || other >= arcs->nodes || other == node)
				return refuse("a node has another one nearest that there is not");
			slot = arcs->ends[other]++;
			if (arc < 0 || arc >= arcs->count || slot < 0 || slot >= arcs->count)
				return refuse("bounds are not those of the rows");
			arcs->heads[arc] = (int32_t) other;
			arcs->heads[slot] = (int32_t) node;
			arcs->partners[slot] = (int32_t) arc;
		}
	return 1;
}

static PyObject *
module_scatter(PyObject *self, PyObject *args)
{
	PyObject   *given[4];
	Matrices	held = {.held = 0};
	Arcs		arcs;
	const Py_buffer *rows;
	Py_ssize_t	first;
	Py_ssize_t	end;

	if (!PyArg_ParseTuple(args, "OOOOnn:scatter", &given[0], &given[1], &given[2], &given[3], &first, &end))
		return NULL;
	return finish(&held, get_arcs(&held, given, PyBUF_WRITABLE, &arcs) &&
				  (rows = hold_of_nearest(&held, given[3], "rows", "lq", &arcs)) != NULL &&
				  is_span(first, end, arcs.nodes) && scatter(&arcs, rows->buf, first, end));
}

/* ---- pair(bounds, heads, partners, places, first, end) ---- */

/* Of two nodes that have each other among their nearest, each drops the arc that `scatter` wrote for the other. */
static int
pair(const Arcs *arcs, int32_t *places, Py_ssize_t first, Py_ssize_t end)
{
	for (Py_ssize_t node = first; node < end; node++)
	{
		const int64_t start = arcs->starts[node];
		const int64_t back_from = start + arcs->nearest;
		int64_t		kept = back_from;

		for (int64_t arc = start; arc < back_from; arc++)
		{
			int32_t    *place = &places[arcs->heads[arc]];

			if (*place >= start)
				return refuse("a node has the same one nearest twice");
			*place = (int32_t) arc;
		}
		for (int64_t slot = back_from; slot < arcs->ends[node]; slot++)
		{
			const int32_t back = arcs->partners[slot];
			const int32_t own = places[arcs->heads[slot]];

			if (own >= start && own < back_from)
			{
				arcs->partners[own] = back;
				continue;
			}
			arcs->heads[kept] = arcs->heads[slot];
			arcs->partners[kept] = back;
			arcs->partners[back] = (int32_t) kept++;
		}
		arcs->ends[node] = kept;
	}
	return 1;
}

static PyObject *
module_pair(PyObject *self, PyObject *args)
{
	PyObject   *given[4];
	Matrices	held = {.held = 0};
	Arcs		arcs;
	const Py_buffer *places;
	Py_ssize_t	first;
	Py_ssize_t	end;

	if (!PyArg_ParseTuple(args, "OOOOnn:pair", &given[0], &given[1], &given[2], &given[3], &first, &end))
		return NULL;
	if (!get_arcs(&held, given, PyBUF_WRITABLE, &arcs) ||
		(places = hold(&held, given[3], "places", "i", PyBUF_WRITABLE)) == NULL)
		return finish(&held, 0);
	if (!has_shape(places, 1, arcs.nodes))
		return finish(&held, refuse("places (1, n) and bounds (2, n) do not fit"));
	return finish(&held, is_span(first, end, arcs.nodes) && pair(&arcs, places->buf, first, end));
}

/* ---- fill(bounds, heads, partners, capacities, residual, first, end) ---- */

/* The capacity of an edge is what the first of its nodes says of it, or else the second; 0 if neither does. */
static int
fill(const Arcs *arcs, const int32_t *capacities, int32_t *residual, Py_ssize_t first, Py_ssize_t end)
{
	const Py_ssize_t nearest = arcs->nearest;

	for (Py_ssize_t node = first; node < end; node++)
		for (Py_ssize_t rank = 0; rank < nearest; rank++)
		{
			const int64_t arc = arcs->starts[node] + rank;
			const int32_t head = arcs->heads[arc];
			const int64_t place = arcs->partners[arc] - arcs->starts[head];
			int32_t		capacity = capacities[node * nearest + rank];

			if (place < nearest && head < node)
				continue;
			if (capacity < 0 && place < nearest)
				capacity = capacities[head * nearest + place];
			if (capacity > LARGEST_CAPACITY)
				return refuse("a capacity is too large");
			residual[arc] = residual[arcs->partners[arc]] = capacity < 0 ? 0 : capacity;
		}
	return 1;
}

static PyObject *
module_fill(PyObject *self, PyObject *args)
{
	PyObject   *given[5];
	Matrices	held = {.held = 0};
	Arcs		arcs;
	const Py_buffer *capacities;
	const Py_buffer *residual;
	Py_ssize_t	first;
	Py_ssize_t	end;

	if (!PyArg_ParseTuple(args, "OOOOOnn:fill", &given[0], &given[1], &given[2], &given[3], &given[4], &first, &end))
		return NULL;
	if (!get_arcs(&held, given, 0, &arcs) ||
		(capacities = hold_of_nearest(&held, given[3], "capacities", "i", &arcs)) == NULL ||
		(residual = hold(&held, given[4], "residual", "i", PyBUF_WRITABLE)) == NULL)
		return finish(&held, 0);
	if (!has_shape(residual, 1, arcs.count))
		return finish(&held, refuse("residual (1, 2 n k) and arcs do not fit"));
	return finish(&held, is_span(first, end, arcs.nodes) && fill(&arcs, capacities->buf, residual->buf, first, end));
}

/* ---- advance(bounds, heads, partners, residual, amounts, search, state, work) ---- */

/* What is left of a walk from one call to the next. */
enum
{
	STAGE,						/* what is being done */
	NEXT,						/* exploring: the place in the queue; pushing: the node where paths begin */
	TAIL,						/* the end of the queue */
	LAST,						/* the least level of a node that the sink can still be reached from, 0 for none */
	DEPTH,						/* arcs of the path */
	STATE
};

enum
{
	BEGINNING, EXPLORING, PUSHING, DONE
};

typedef struct Flow
{
	Arcs		arcs;
	int32_t    *residual;
	int64_t    *supply;			/* what the source can still send to a node */
	int64_t    *drain;			/* what a node can still send to the sink */
	int64_t    *level;			/* arcs from the source; 0 if not reached, -1 if nothing more can be sent from there */
	int64_t    *current;		/* the arc that is next to be looked at */
	int64_t    *queue;
	int64_t    *path;
	int64_t    *state;
	Py_ssize_t	work;			/* arcs that may still be looked at */
} Flow;

static void
reach(Flow *flow, int64_t node, int64_t level)
{
	flow->level[node] = level;
	flow->current[node] = flow->arcs.starts[node];
	flow->queue[flow->state[TAIL]++] = node;
	if (flow->drain[node] > 0 && flow->state[LAST] == 0)
		flow->state[LAST] = level;
}

static void
begin(Flow *flow)
{
	memset(flow->level, 0, flow->arcs.nodes * sizeof(int64_t));
	memset(flow->state, 0, STATE * sizeof(int64_t));
	for (int64_t node = 0; node < flow->arcs.nodes; node++)
		if (flow->supply[node] > 0)
			reach(flow, node, 1);
	flow->work -= flow->arcs.nodes;
	flow->state[STAGE] = EXPLORING;
}

/* Levels up to that of the first node that has a way to the sink; of all that are reached if none has. */
static void
explore(Flow *flow)
{
	int64_t    *state = flow->state;

	while (flow->work > 0 && state[STAGE] == EXPLORING)
	{
		const int64_t node = state[NEXT] < state[TAIL] ? flow->queue[state[NEXT]] : -1;

		if (node < 0 || (state[LAST] > 0 && flow->level[node] >= state[LAST]))
		{
			state[STAGE] = state[LAST] > 0 ? PUSHING : DONE;
			state[NEXT] = 0;
			return;
		}
		for (int64_t arc = flow->arcs.starts[node]; arc < flow->arcs.ends[node]; arc++)
			if (flow->residual[arc] > 0 && flow->level[flow->arcs.heads[arc]] == 0)
				reach(flow, flow->arcs.heads[arc], flow->level[node] + 1);
		flow->work -= flow->arcs.ends[node] - flow->arcs.starts[node] + 1;
		state[NEXT]++;
	}
}

/* The next arc from a node that leads one level on, or its end. */
static int64_t
next_arc(Flow *flow, int64_t node)
{
	const int64_t end = flow->arcs.ends[node];
	const int64_t first = flow->current[node];
	int64_t		arc = flow->level[node] < flow->state[LAST] ? first : end;

	while (arc < end && (flow->residual[arc] == 0 ||
						 flow->level[flow->arcs.heads[arc]] != flow->level[node] + 1))
		arc++;
	flow->work -= arc - first + 1;
	flow->current[node] = arc;
	return arc;
}

/* Sends what the path holds from its root to the sink, and goes back to before its first full arc. */
static void
push(Flow *flow, int64_t root, int64_t tip)
{
	const int64_t depth = flow->state[DEPTH];
	int64_t		amount = flow->supply[root] < flow->drain[tip] ? flow->supply[root] : flow->drain[tip];

	for (int64_t i = 0; i < depth; i++)
		if (flow->residual[flow->path[i]] < amount)
			amount = flow->residual[flow->path[i]];
	flow->supply[root] -= amount;
	flow->drain[tip] -= amount;
	for (int64_t i = depth - 1; i >= 0; i--)
	{
		const int64_t arc = flow->path[i];

		flow->residual[arc] -= (int32_t) amount;
		flow->residual[flow->arcs.partners[arc]] += (int32_t) amount;
		if (flow->residual[arc] == 0)
			flow->state[DEPTH] = i;
	}
	if (flow->supply[root] == 0)
		flow->state[DEPTH] = 0;
	flow->work -= 2 * depth;
}

/* Gives up the node at the end of the path, which nothing more can be sent from. */
static void
retreat(Flow *flow, int64_t tip)
{
	flow->level[tip] = -1;
	if (flow->state[DEPTH] > 0)
		flow->state[DEPTH]--;
}

/* Fills every shortest way to the sink. */
static void
push_all(Flow *flow)
{
	int64_t    *state = flow->state;

	while (flow->work > 0)
	{
		const int64_t root = state[NEXT];
		int64_t		tip;
		int64_t		arc;

		if (root == flow->arcs.nodes)
		{
			state[STAGE] = BEGINNING;
			return;
		}
		flow->work--;
		if (flow->level[root] != 1 || flow->supply[root] == 0)
		{
			state[NEXT]++;
			continue;
		}
		tip = state[DEPTH] > 0 ? flow->arcs.heads[flow->path[state[DEPTH] - 1]] : root;
		if (flow->level[tip] == state[LAST] && flow->drain[tip] > 0)
			push(flow, root, tip);
		else if ((arc = next_arc(flow, tip)) < flow->arcs.ends[tip])
			flow->path[state[DEPTH]++] = arc;
		else
			retreat(flow, tip);
	}
}

static int
advance(Flow *flow)
{
	while (flow->work > 0 && flow->state[STAGE] != DONE)
	{
		if (flow->state[STAGE] == BEGINNING)
			begin(flow);
		explore(flow);
		if (flow->state[STAGE] == PUSHING)
			push_all(flow);
	}
	return flow->state[STAGE] == DONE;
}

static int64_t *
row_of(const Py_buffer *matrix, Py_ssize_t row)
{
	return (int64_t *) ((char *) matrix->buf + row * matrix->strides[0]);
}

static PyObject *
module_advance(PyObject *self, PyObject *args)
{
	PyObject   *given[7];
	Matrices	held = {.held = 0};
	Flow		flow = {.work = 0};
	const Py_buffer *residual;
	const Py_buffer *amounts;
	const Py_buffer *search;
	const Py_buffer *state;
	int			done;

	if (!PyArg_ParseTuple(args, "OOOOOOOn:advance", &given[0], &given[1], &given[2], &given[3], &given[4],
						  &given[5], &given[6], &flow.work))
		return NULL;
	if (!get_arcs(&held, given, 0, &flow.arcs) ||
		(residual = hold(&held, given[3], "residual", "i", PyBUF_WRITABLE)) == NULL ||
		(amounts = hold(&held, given[4], "amounts", "lq", PyBUF_WRITABLE)) == NULL ||
		(search = hold(&held, given[5], "search", "lq", PyBUF_WRITABLE)) == NULL ||
		(state = hold(&held, given[6], "state", "lq", PyBUF_WRITABLE)) == NULL)
		return finish(&held, 0);
	if (!has_shape(residual, 1, flow.arcs.count) || !has_shape(amounts, 2, flow.arcs.nodes) ||
		!has_shape(search, 4, flow.arcs.nodes) || !has_shape(state, 1, STATE))
		return finish(&held, refuse("residual (1, arcs), amounts (2, n), search (4, n) and state do not fit"));
	flow.residual = residual->buf;
	flow.supply = row_of(amounts, 0);
	flow.drain = row_of(amounts, 1);
	flow.level = row_of(search, 0);
	flow.current = row_of(search, 1);
	flow.queue = row_of(search, 2);
	flow.path = row_of(search, 3);
	flow.state = state->buf;
	done = advance(&flow);
	let_go(&held);
	return PyBool_FromLong(done);
}

static PyMethodDef methods[] = {
	{"scatter", module_scatter, METH_VARARGS,
	"scatter(bounds, heads, partners, rows, first, end): the arcs of some nodes to their nearest, and back"},
	{"pair", module_pair, METH_VARARGS,
	"pair(bounds, heads, partners, places, first, end): each edge of some nodes once"},
	{"fill", module_fill, METH_VARARGS,
	"fill(bounds, heads, partners, capacities, residual, first, end): the capacities of the edges of some nodes"},
	{"advance", module_advance, METH_VARARGS,
	"advance(bounds, heads, partners, residual, amounts, search, state, work): whether the flow is a maximum now"},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "flow",
	.m_doc = "Maximum flow over a graph of nearest nodes.",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC
PyInit_flow(void)
{
	PyObject   *created = PyModule_Create(&module);

	if (created != NULL && PyModule_AddIntConstant(created, "STATE", STATE) < 0)
		Py_CLEAR(created);
	return created;
}
