/*
 * buffer.c: a growing block of memory that numpy sees through the buffer protocol.
 */
#include "host.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LARGE (8 * 1024 * 1024)

static PyTypeObject HostBufferType;

/*
 * A session holds much for a moment, and lives on for hours beside others, while
 * malloc keeps what is freed: it learns that from the first large block. To ask the
 * system for it again takes a millisecond at most.
 */
void
host_give_back_memory(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void
buffer_dealloc(PyObject *self)
{
	HostBuffer *buffer = (HostBuffer *) self;

	free(buffer->data);
	if (buffer->capacity >= LARGE)
		host_give_back_memory();
	Py_TYPE(self)->tp_free(self);
}

static int
buffer_get(PyObject *self, Py_buffer *view, int flags)
{
	HostBuffer *buffer = (HostBuffer *) self;
	static char empty[8];

	view->obj = Py_NewRef(self);
	view->buf = buffer->data ? buffer->data : empty;
	view->len = buffer->used;
	view->readonly = 0;
	view->itemsize = buffer->itemsize;
	view->format = (flags & PyBUF_FORMAT) ? buffer->format : NULL;
	view->ndim = buffer->ndim;
	view->shape = buffer->shape;
	view->strides = buffer->strides;
	view->suboffsets = NULL;
	view->internal = NULL;
	return 0;
}

static PyBufferProcs buffer_procs = {.bf_getbuffer = buffer_get};

static PyTypeObject HostBufferType = {
	PyVarObject_HEAD_INIT(NULL, 0)
	.tp_name = "_ruattn_host.Buffer",
	.tp_doc = "Memory filled by the host; numpy.asarray() sees it without a copy.",
	.tp_basicsize = sizeof(HostBuffer),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_dealloc = buffer_dealloc,
	.tp_as_buffer = &buffer_procs,
};

int
host_buffer_init(void)
{
	return PyType_Ready(&HostBufferType);
}

/* An empty one-dimensional buffer of items of this struct-module code; NULL with MemoryError set. */
HostBuffer *
host_buffer_new(char format)
{
	HostBuffer *buffer = PyObject_New(HostBuffer, &HostBufferType);

	if (buffer == NULL)
		return NULL;
	buffer->data = NULL;
	buffer->used = buffer->capacity = 0;
	buffer->format[0] = format;
	buffer->format[1] = '\0';
	buffer->itemsize = format == 'B' ? 1 : format == 'f' || format == 'i' || format == 'I' ? 4 : 8;
	host_buffer_shape(buffer, 0, 0);
	return buffer;
}

/* Room for `more` bytes behind what is used; false where memory runs out. */
bool
host_buffer_reserve(HostBuffer *buffer, size_t more)
{
	size_t		need = buffer->used + more;
	size_t		capacity = buffer->capacity;
	char	   *data;

	if (need <= capacity)
		return true;
	capacity = Max(need, capacity + capacity / 2);
	capacity = Max(capacity, 64 * 1024);
	data = realloc(buffer->data, capacity);
	if (data == NULL)
		return false;
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

/* One-dimensional where `columns` is 0. */
void
host_buffer_shape(HostBuffer *buffer, Py_ssize_t rows, Py_ssize_t columns)
{
	buffer->ndim = columns > 0 ? 2 : 1;
	buffer->shape[0] = rows;
	buffer->shape[1] = columns;
	buffer->strides[0] = buffer->itemsize * (columns > 0 ? columns : 1);
	buffer->strides[1] = buffer->itemsize;
}
