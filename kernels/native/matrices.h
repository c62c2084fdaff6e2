/*
 * matrices.h: arrays from Python, by the buffer protocol.
 */

static const char *
type_of_format(char format)
{
	switch (format)
	{
		case 'f':
			return "float32";
		case 'h':
			return "int16";
		case 'd':
			return "float64";
		case 'e':
			return "float16, or of float32, int8 or uint8";
		case 'i':
			return "int32";
		default:
			return "int64";
	}
}

/*
 * A matrix (rows, columns) of one of these formats, its columns side by side. False, with
 * an exception set, if it is none.
 */
static int
get_matrix(PyObject *object, Py_buffer *view, const char *what, const char *formats, int flags)
{
	if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT | flags) < 0)
		return 0;
	if (view->ndim == 2 && strlen(view->format) == 1 && strchr(formats, view->format[0]) != NULL &&
		(view->format[0] != 'l' || view->itemsize == 8) && (uintptr_t) view->buf % view->itemsize == 0 &&
		view->strides[0] % view->itemsize == 0 && (view->strides[1] == view->itemsize || view->shape[1] < 2))
		return 1;
	PyErr_Format(PyExc_ValueError, "%s must be a matrix of %s, row by row", what, type_of_format(formats[0]));
	PyBuffer_Release(view);
	return 0;
}

/* The matrices of a call, released together. */
typedef struct Matrices
{
	Py_buffer	views[15];
	int			held;
} Matrices;

static Py_buffer *
hold(Matrices *matrices, PyObject *object, const char *what, const char *formats, int flags)
{
	Py_buffer  *view = &matrices->views[matrices->held];

	if (!get_matrix(object, view, what, formats, flags))
		return NULL;
	matrices->held++;
	return view;
}

static void
let_go(Matrices *matrices)
{
	while (matrices->held > 0)
		PyBuffer_Release(&matrices->views[--matrices->held]);
}

static int
has_shape(const Py_buffer *view, Py_ssize_t rows, Py_ssize_t columns)
{
	return view == NULL || (view->shape[0] == rows && view->shape[1] == columns);
}
