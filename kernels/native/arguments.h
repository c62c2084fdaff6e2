/*
 * arguments.h: what modules of loops take from Python: arrays, and the name of an
 * instruction set. After variants.h.
 */
#include "matrices.h"

/* The fastest that this processor has, or the one of that name; -1 with an exception set. */
static int
get_instruction_set(const char *name)
{
	for (int set = 0; set < INSTRUCTION_SETS; set++)
		if ((name == NULL || strcmp(instruction_set_names[set], name) == 0) && has_instruction_set(set))
			return set;
	PyErr_Format(PyExc_ValueError, "this processor has no %s", name);
	return -1;
}

static PyObject *
module_variants(PyObject *self, PyObject *unused)
{
	PyObject   *names = PyList_New(0);

	for (int set = 0; names != NULL && set < INSTRUCTION_SETS; set++)
	{
		PyObject   *name;

		if (!has_instruction_set(set))
			continue;
		name = PyUnicode_FromString(instruction_set_names[set]);
		if (name == NULL || PyList_Append(names, name) < 0)
			Py_CLEAR(names);
		Py_XDECREF(name);
	}
	return names;
}
