/*
 * module.c: entry points of the library: settings, the FDW handler, preloading.
 */
#include "host.h"

#include <limits.h>

#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/guc.h"
#include "utils/plancache.h"

PG_MODULE_MAGIC;

int			host_threads = 1;
int			host_max_memory_kb = 1024 * 1024;
char	   *host_python_path = NULL;
char	   *host_features = NULL;

PGDLLEXPORT void _PG_init(void);
PG_FUNCTION_INFO_V1(ruattn_fdw_handler);

/* ---- ruattn_fdw.features ---- */

/* FEATURES of kernels/mechanism.py, and the word for all of them */
static const char feature_words[] = "attention, flash, graph, hyperbolic, moe, all";

typedef struct Word
{
	const char *start;
	int			length;
} Word;

/* The next element of a list with commas, less the space around it; false after the last. */
static bool
next_word(const char **at, Word *word)
{
	const char *end;

	if (*at == NULL)
		return false;
	while (scanner_isspace(**at))
		(*at)++;
	word->start = *at;
	end = *at + strcspn(*at, ",");
	*at = *end == ',' ? end + 1 : NULL;
	while (end > word->start && scanner_isspace(end[-1]))
		end--;
	word->length = end - word->start;
	return true;
}

static bool
is_feature(Word word)
{
	const char *at = feature_words;
	Word		known;

	while (next_word(&at, &known))
		if (known.length == word.length && pg_strncasecmp(known.start, word.start, word.length) == 0)
			return true;
	return false;
}

static bool
check_features(char **value, void **extra, GucSource source)
{
	const char *at = *value;
	Word		word;

	while (next_word(&at, &word))
	{
		if (is_feature(word))
			continue;
		if (word.length == 0)
			GUC_check_errdetail("An element of the list is empty.");
		else
			GUC_check_errdetail("There is no feature \"%.*s\".", word.length, word.start);
		GUC_check_errhint("Valid features: %s.", feature_words);
		return false;
	}
	return true;
}

/* A plan holds what an immutable function gave for constants: it must be asked again. */
static void
assign_features(const char *value, void *extra)
{
	if (host_features != NULL && strcmp(host_features, value) != 0)
		ResetPlanCache();
}

/* ---- all settings ---- */

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
	DefineCustomStringVariable("ruattn_fdw.features",
							   "Features whose attention mechanisms may be used.",
							   "A list of attention, flash, graph, hyperbolic and moe, or all.",
							   &host_features, "all",
							   PGC_SUSET, GUC_LIST_INPUT, check_features, assign_features, NULL);
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
