/*
 * mapping.c: files mapped into memory that numpy sees through the buffer protocol,
 * and what happens when such a file shrinks under its readers.
 *
 * Touching a page that its file no longer has raises SIGBUS, in whichever thread
 * touched it. Within a mapping of ours zeros take the place of the lost pages and
 * the mapping is marked as damaged; any other SIGBUS goes where it went before.
 */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port/pg_crc32c.h"

/* ---- the mappings of this process, as the signal handler sees them ---- */

#define MAX_REGIONS 64

typedef struct Region
{
	uintptr_t	start;			/* 0 where the entry is free; set last, cleared first */
	uintptr_t	end;
	int			protection;
	int			damaged;
} Region;

static Region regions[MAX_REGIONS];
static uintptr_t page_size;
static struct sigaction previous;

static Region *
region_of(uintptr_t address)
{
	for (int i = 0; i < MAX_REGIONS; i++)
	{
		uintptr_t	start = __atomic_load_n(&regions[i].start, __ATOMIC_ACQUIRE);

		if (start != 0 && address >= start && address < regions[i].end)
			return &regions[i];
	}
	return NULL;
}

/*
 * The whole rest of the mapping, not one page: a truncated file would else fault
 * once a page. Where so much may not be committed, one page must do.
 */
static bool
replace_lost_pages(Region *region, uintptr_t address)
{
	uintptr_t	page = address & ~(page_size - 1);
	size_t		lengths[] = {region->end - page, page_size};

	for (int i = 0; i < lengthof(lengths); i++)
		if (mmap((void *) page, lengths[i], region->protection,
				 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED)
		{
			__atomic_store_n(&region->damaged, 1, __ATOMIC_RELEASE);
			return true;
		}
	return false;
}

/* Returning from a fault repeats it, under the action set here; a signal that was sent must be sent again. */
static void
pass_on(int number, siginfo_t *info, void *context)
{
	bool		sent = info->si_code <= 0;

	if (previous.sa_flags & SA_SIGINFO)
		previous.sa_sigaction(number, info, context);
	else if (previous.sa_handler == SIG_DFL || (previous.sa_handler == SIG_IGN && !sent))
	{
		struct sigaction standard = {.sa_handler = SIG_DFL};

		sigaction(SIGBUS, &standard, NULL);
		if (sent)
			raise(SIGBUS);
	}
	else if (previous.sa_handler != SIG_IGN)
		previous.sa_handler(number);
}

/* The address of a signal that was sent, or of a misaligned access, is none of a lost page. */
static void
handle_bus_error(int number, siginfo_t *info, void *context)
{
	int			saved_errno = errno;
	bool		lost_page = info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR || info->si_code == BUS_MCEERR_AR;
	Region	   *region = lost_page ? region_of((uintptr_t) info->si_addr) : NULL;

	if (region == NULL || !replace_lost_pages(region, (uintptr_t) info->si_addr))
		pass_on(number, info, context);
	errno = saved_errno;
}

/* Once a process; those that it forks inherit the handler with the table. */
static bool
install_handler(void)
{
	struct sigaction action = {.sa_sigaction = handle_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

	if (page_size != 0)
		return true;
	page_size = sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, &previous) == 0)
		return true;
	page_size = 0;
	return false;
}

static Region *
free_region(void)
{
	for (int i = 0; i < MAX_REGIONS; i++)
		if (regions[i].start == 0)
			return &regions[i];
	return NULL;
}

/* ---- _ruattn_host.Mapping: unmapped when the last array on it has gone ---- */

typedef struct HostMapping
{
	PyObject_HEAD
	char	   *data;
	Py_ssize_t	size;
	Region	   *region;
} HostMapping;

static void
mapping_dealloc(PyObject *self)
{
	HostMapping *mapping = (HostMapping *) self;

	__atomic_store_n(&mapping->region->start, 0, __ATOMIC_RELEASE);
	munmap(mapping->data, mapping->size);
	Py_TYPE(self)->tp_free(self);
}

static int
mapping_get_buffer(PyObject *self, Py_buffer *view, int flags)
{
	HostMapping *mapping = (HostMapping *) self;
	bool		writable = mapping->region->protection & PROT_WRITE;

	return PyBuffer_FillInfo(view, self, mapping->data, mapping->size, !writable, flags);
}

/* The 64-bit word at a byte offset, or NULL with ValueError set. */
static int64 *
word_at(HostMapping *mapping, Py_ssize_t offset)
{
	if (offset >= 0 && offset % sizeof(int64) == 0 && offset <= mapping->size - (Py_ssize_t) sizeof(int64))
		return (int64 *) (mapping->data + offset);
	PyErr_Format(PyExc_ValueError, "no 64-bit word at %zd of %zd bytes", offset, mapping->size);
	return NULL;
}

static PyObject *
mapping_load(PyObject *self, PyObject *args)
{
	Py_ssize_t	offset;
	int64	   *word;

	if (!PyArg_ParseTuple(args, "n:load", &offset) || (word = word_at((HostMapping *) self, offset)) == NULL)
		return NULL;
	return PyLong_FromLongLong(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static PyObject *
mapping_store(PyObject *self, PyObject *args)
{
	HostMapping *mapping = (HostMapping *) self;
	Py_ssize_t	offset;
	long long	value;
	int64	   *word;

	if (!PyArg_ParseTuple(args, "nL:store", &offset, &value) || (word = word_at(mapping, offset)) == NULL)
		return NULL;
	if (!(mapping->region->protection & PROT_WRITE))
	{
		PyErr_SetString(PyExc_ValueError, "the file is mapped for reading only");
		return NULL;
	}
	__atomic_store_n(word, (int64) value, __ATOMIC_RELEASE);
	Py_RETURN_NONE;
}

/* One system call instead of a fault for each page to be written; where there is none, faults do. */
static PyObject *
mapping_prepare(PyObject *self, PyObject *args)
{
	HostMapping *mapping = (HostMapping *) self;
	Py_ssize_t	offset;
	Py_ssize_t	size;

	if (!PyArg_ParseTuple(args, "nn:prepare", &offset, &size))
		return NULL;
	if (offset < 0 || size < 0 || offset > mapping->size - size)
	{
		PyErr_Format(PyExc_ValueError, "no %zd bytes at %zd of %zd", size, offset, mapping->size);
		return NULL;
	}
#ifdef MADV_POPULATE_WRITE
	(void) madvise(mapping->data + offset, size, MADV_POPULATE_WRITE);
#endif
	Py_RETURN_NONE;
}

static PyObject *
mapping_damaged(PyObject *self, void *closure)
{
	return PyBool_FromLong(__atomic_load_n(&((HostMapping *) self)->region->damaged, __ATOMIC_ACQUIRE));
}

static PyBufferProcs mapping_buffer = {.bf_getbuffer = mapping_get_buffer};

static PyMethodDef mapping_methods[] = {
	{"load", mapping_load, METH_VARARGS, "load(offset) -> int, of 64 bits, with acquire semantics"},
	{"store", mapping_store, METH_VARARGS, "store(offset, value), of 64 bits, with release semantics"},
	{"prepare", mapping_prepare, METH_VARARGS, "prepare(offset, size): whole pages that are to be written"},
	{NULL, NULL, 0, NULL},
};

static PyGetSetDef mapping_attributes[] = {
	{"damaged", mapping_damaged, NULL, "whether zeros stand for pages that the file has lost", NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject HostMappingType = {
	PyVarObject_HEAD_INIT(NULL, 0)
	.tp_name = "_ruattn_host.Mapping",
	.tp_doc = "A file mapped into memory; numpy sees it without a copy.",
	.tp_basicsize = sizeof(HostMapping),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_dealloc = mapping_dealloc,
	.tp_as_buffer = &mapping_buffer,
	.tp_methods = mapping_methods,
	.tp_getset = mapping_attributes,
};

int
host_mapping_init(void)
{
	return PyType_Ready(&HostMappingType);
}

static PyObject *
register_mapping(Region *region, char *data, Py_ssize_t size, int protection)
{
	HostMapping *mapping = PyObject_New(HostMapping, &HostMappingType);

	if (mapping == NULL)
	{
		munmap(data, size);
		return NULL;
	}
	mapping->data = data;
	mapping->size = size;
	mapping->region = region;
	region->end = (uintptr_t) data + size;
	region->protection = protection;
	region->damaged = 0;
	__atomic_store_n(&region->start, (uintptr_t) data, __ATOMIC_RELEASE);
	return (PyObject *) mapping;
}

PyObject *
host_map_file(PyObject *self, PyObject *args)
{
	int			fd;
	Py_ssize_t	size;
	int			writable;
	int			protection;
	Region	   *region = free_region();
	void	   *data;

	if (!PyArg_ParseTuple(args, "inp:map_file", &fd, &size, &writable))
		return NULL;
	protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	if (region == NULL)
		errno = EMFILE;
	else if (install_handler() && (data = mmap(NULL, size, protection, MAP_SHARED, fd, 0)) != MAP_FAILED)
		return register_mapping(region, data, size, protection);
	return PyErr_SetFromErrno(PyExc_OSError);
}

/* ---- crc32c(*buffers) ---- */

static bool
add_to_checksum(pg_crc32c *checksum, PyObject *data)
{
	Py_buffer	view;

	if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) != 0)
		return false;
	COMP_CRC32C(*checksum, view.buf, view.len);
	PyBuffer_Release(&view);
	return true;
}

PyObject *
host_crc32c(PyObject *self, PyObject *args)
{
	pg_crc32c	checksum;

	INIT_CRC32C(checksum);
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++)
		if (!add_to_checksum(&checksum, PyTuple_GET_ITEM(args, i)))
			return NULL;
	FIN_CRC32C(checksum);
	return PyLong_FromUnsignedLong(checksum);
}
