/*
 * module.c: entry points of the library: settings, the FDW handler, preloading.
 */
#include "host.h"

#include <limits.h>

#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

int			host_threads = 1;
int			host_max_memory_kb = 1024 * 1024;
char	   *host_python_path = NULL;

PGDLLEXPORT void _PG_init(void);
PG_FUNCTION_INFO_V1(ruattn_fdw_handler);

static void
define_settings(void)
{
	DefineCustomIntVariable("ruattn_fdw.threads",
							"Threads that the kernels of one backend may use.",
							NULL, &host_threads, 1, 1, 256,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ruattn_fdw.max_memory",
							"Memory that the source rows of one search may take.",
							"A search that needs more is refused with an error.",
							&host_max_memory_kb, 1024 * 1024, 1024, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomStringVariable("ruattn_fdw.python",
							   "Python interpreter whose environment holds the package ruattn_fdw.",
							   "It takes effect when a session runs its first search.",
							   &host_python_path, RUATTN_PYTHON,
							   PGC_SUSET, 0, NULL, NULL, NULL);
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("ruattn_fdw");
#else
	EmitWarningsOnPlaceholders("ruattn_fdw");
#endif
}

void
_PG_init(void)
{
	define_settings();
	host_error_init();
	host_table_init();
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (host_may_preload())
		(void) host_bridge();
	else
		ereport(LOG,
				(errmsg("ruattn_fdw does not start Python in the postmaster"),
				 errdetail("PL/Python is installed, and from Python 3.12 on it must start first in a session.")));
}

Datum
ruattn_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = hostGetForeignRelSize;
	routine->GetForeignPaths = hostGetForeignPaths;
	routine->GetForeignPlan = hostGetForeignPlan;
	routine->BeginForeignScan = hostBeginForeignScan;
	routine->IterateForeignScan = hostIterateForeignScan;
	routine->ReScanForeignScan = hostReScanForeignScan;
	routine->EndForeignScan = hostEndForeignScan;
	routine->ExplainForeignScan = hostExplainForeignScan;
	routine->ImportForeignSchema = hostImportForeignSchema;
	PG_RETURN_POINTER(routine);
}
