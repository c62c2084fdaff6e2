/*
 * module.c: entry points of the library: settings, the FDW handler, preloading.
 */
#include "host.h"
#include "index.h"

#include <limits.h>

#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/plancache.h"

PG_MODULE_MAGIC;

int			host_threads = 1;
int			host_max_memory_kb = 1024 * 1024;
int			host_cache_size_mb = 8 * 1024;
char	   *host_python_path = NULL;
char	   *host_features = NULL;
char	   *host_rerank_models = NULL;

PGDLLEXPORT void _PG_init(void);
PG_FUNCTION_INFO_V1(ruattn_fdw_handler);

/* ---- settings that narrow ---- */

#if PG_VERSION_NUM >= 160000
#define find_setting(name) find_option(name, false, true, ERROR)
#else
static struct config_generic *
find_setting(const char *name)
{
	struct config_generic **all = get_guc_variables();

	for (int i = 0; i < GetNumConfigOptions(); i++)
		if (pg_strcasecmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}
#endif

/* The settings of which the default may give more than the administrator does. */
static const char *const narrowing[] = {"ruattn_fdw.features", "ruattn_fdw.max_memory", "ruattn_fdw.cache_size"};

/* Where the value comes from that RESET gives back: before its definition a placeholder's. */
static GucSource
source_of(const char *name)
{
	struct config_generic *setting = find_setting(name);

	return setting == NULL ? PGC_S_DEFAULT : setting->reset_source;
}

/*
 * Until the library is loaded PostgreSQL takes any value from anybody's login, in
 * place of what the administrator set; what it then refuses leaves the default.
 * For a setting that narrows this must not be: with the library preloaded such a
 * login fails, without it the session ends here.
 */
static void
check_given(const GucSource *given)
{
	for (int i = 0; i < lengthof(narrowing); i++)
		if (given[i] != source_of(narrowing[i]))
			ereport(FATAL,
					(errcode(ERRCODE_CANT_CHANGE_RUNTIME_PARAM),
					 errmsg("the value given for %s was refused", narrowing[i]),
					 errdetail("Its default may allow more than this server does."),
					 errhint("A warning said why; an ordinary user cannot set it when connecting.")));
}

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

/* ---- ruattn_fdw.rerank_models ---- */

/* The NAME of a word NAME=/FOLDER; false where it is none. */
static bool
name_of_model(Word word, Word *name)
{
	const char *equals = memchr(word.start, '=', word.length);

	name->start = word.start;
	name->length = equals == NULL ? 0 : equals - word.start;
	return name->length > 0 && name->length + 1 < word.length && equals[1] == '/';
}

/* Whether a word before `word` has the same name. */
static bool
is_named_before(const char *list, Word word, Word name)
{
	Word		earlier;
	Word		other;

	while (next_word(&list, &earlier) && earlier.start < word.start)
		if (name_of_model(earlier, &other) && other.length == name.length &&
			memcmp(other.start, name.start, name.length) == 0)
			return true;
	return false;
}

static bool
check_rerank_models(char **value, void **extra, GucSource source)
{
	const char *at = *value;
	Word		word;
	Word		name;

	if (next_word(&at, &word) && word.length == 0 && at == NULL)
		return true;
	for (at = *value; next_word(&at, &word);)
	{
		if (!name_of_model(word, &name))
			GUC_check_errdetail("\"%.*s\" is not of the form name=/folder.", word.length, word.start);
		else if (is_named_before(*value, word, name))
			GUC_check_errdetail("There are two models \"%.*s\".", name.length, name.start);
		else
			continue;
		GUC_check_errhint("List models as name=/folder, name2=/folder2.");
		return false;
	}
	return true;
}

/* ---- all settings ---- */

static void
define_settings(void)
{
	GucSource	given[lengthof(narrowing)];

	for (int i = 0; i < lengthof(narrowing); i++)
		given[i] = source_of(narrowing[i]);
	DefineCustomIntVariable("ruattn_fdw.threads",
							"Threads that the kernels of one backend may use.",
							"No more run than there are processors.", &host_threads, 1, 1, 256,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ruattn_fdw.max_memory",
							"Memory that the source rows of one search may take.",
							"A search that needs more is refused with an error.",
							&host_max_memory_kb, 1024 * 1024, 1024, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("ruattn_fdw.cache_size",
							"Disk space that copies of vector columns may take.",
							"The least recently used are removed. 0 keeps none.",
							&host_cache_size_mb, 8 * 1024, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomStringVariable("ruattn_fdw.python",
							   "Python interpreter whose environment holds the package ruattn_fdw.",
							   "It takes effect when a session runs its first search.",
							   &host_python_path, RUATTN_PYTHON,
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("ruattn_fdw.rerank_models",
							   "Models that neural_rerank may run, as name=/folder with commas between them.",
							   "A folder holds model.onnx and tokenizer.json.",
							   &host_rerank_models, "",
							   PGC_SUSET, GUC_LIST_INPUT | GUC_SUPERUSER_ONLY, check_rerank_models, NULL, NULL);
	DefineCustomStringVariable("ruattn_fdw.features",
							   "Features whose attention mechanisms may be used.",
							   "A list of attention, flash, graph, hyperbolic and moe, or all.",
							   &host_features, "all",
							   PGC_SUSET, GUC_LIST_INPUT, check_features, assign_features, NULL);
	check_given(given);
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
	host_index_options_init();
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
