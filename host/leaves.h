/*
 * leaves.h: the tables that hold the rows of a source: itself, its partitions,
 * the tables that inherit from it.
 */
#ifndef RUATTN_LEAVES_H
#define RUATTN_LEAVES_H

#include "host.h"

#include "utils/rel.h"

/* The leaves as Python carries them from one function of the module to the next. */
typedef struct Leaves
{
	int			count;
	const Oid  *oids;
} Leaves;

#if PG_VERSION_NUM >= 160000
typedef RelFileLocator FileLocation;
#define storage_of(relation) ((relation)->rd_locator)
#else
typedef RelFileNode FileLocation;
#define storage_of(relation) ((relation)->rd_node)
#endif

extern bool host_lies_on_primary(Relation relation);
extern bool host_leaves_given(PyObject *bytes, Leaves *leaves);
extern PyObject *host_source(PyObject *self, PyObject *args);

/* views.c */
extern Oid	host_view_base(Relation view, int ncolumns, AttrNumber *attnos);
extern PyObject *host_view_keys(PyObject *self, PyObject *args);

/* freshness.c */
extern PyObject *host_snapshot(PyObject *self, PyObject *unused);
extern PyObject *host_heap_keys(PyObject *self, PyObject *args);

/* fetch.c */
extern PyObject *host_fetch(PyObject *self, PyObject *args);

/* index_reader.c */
extern PyObject *host_indexes(PyObject *self, PyObject *args);
extern PyObject *host_index_version_of(PyObject *self, PyObject *args);
extern PyObject *host_index_entries_of(PyObject *self, PyObject *args);
extern PyObject *host_index_seen(PyObject *self, PyObject *args);
extern PyObject *host_all_visible(PyObject *self, PyObject *args);

/* userlock.c */
extern PyObject *host_lock(PyObject *self, PyObject *args);
extern PyObject *host_unlock(PyObject *self, PyObject *args);

#endif
