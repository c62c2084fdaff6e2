/*
 * interpreter.c: the Python interpreter of a backend: started at the first
 * search, or in the postmaster where the library is preloaded.
 */
#include "host.h"

#include <signal.h>
#include <unistd.h>

#include "miscadmin.h"
#include "nodes/parsenodes.h"

static HostBridge bridge;
static bool bridge_ready = false;
static pid_t bridge_pid = 0;

/* Threads that numpy's libraries start must never take the server's signals. */
static void
block_signals(sigset_t *saved)
{
	sigset_t	blocked;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGILL);
	sigprocmask(SIG_SETMASK, &blocked, saved);
}

/* Another extension (PL/Python) may have started an interpreter already. */
static void
check_running_interpreter(void)
{
	const char *running = Py_GetVersion();
	size_t		length = strlen(PY_VERSION);

	if (strncmp(running, PY_VERSION, length) != 0 &&
		strncmp(running, PY_VERSION, strrchr(PY_VERSION, '.') - PY_VERSION + 1) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ruattn_fdw was built for Python %s, this session already runs Python %s", PY_VERSION, running),
				 errhint("Use PL/Python and ruattn_fdw in different sessions, or build ruattn_fdw with the other interpreter.")));
}

/*
 * PL/Python registers its module plpy before it starts an interpreter. Where
 * there is one already, Python up to 3.11 must only be told of the name; later
 * versions abort the process, so there PL/Python has to come first.
 */
#if PY_VERSION_HEX >= 0x030C0000
static bool
plpython_installed(void)
{
	char		path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/plpython3%s", pkglib_path, DLSUFFIX);
	return access(path, R_OK) == 0;
}

static void
start_plpython_first(void)
{
	InlineCodeBlock *code = makeNode(InlineCodeBlock);
	PGFunction	handler;

	if (!plpython_installed())
		return;
	handler = (PGFunction) load_external_function("$libdir/plpython3", "plpython3_inline_handler", true, NULL);
	code->source_text = "pass";
	code->atomic = true;
	DirectFunctionCall1(handler, PointerGetDatum(code));
}

/* False where a backend that runs PL/Python could not use an interpreter of the postmaster's. */
bool
host_may_preload(void)
{
	return !plpython_installed();
}

static int
announce_plpy(void)
{
	return 0;
}
#else
static void
start_plpython_first(void)
{
}

bool
host_may_preload(void)
{
	return true;
}

static int
announce_plpy(void)
{
	return PyRun_SimpleString("import sys; sys.builtin_module_names += ('plpy',)");
}
#endif

/* On failure the reason is in the returned status; nothing is thrown here. */
static PyStatus
initialize_python(void)
{
	PyPreConfig preconfig;
	PyConfig	config;
	PyStatus	status;

	PyPreConfig_InitIsolatedConfig(&preconfig);
	preconfig.utf8_mode = 1;
#if defined(__SANITIZE_ADDRESS__) || defined(USE_VALGRIND)
	preconfig.allocator = PYMEM_ALLOCATOR_MALLOC;	/* which those that look for errors know */
#endif
	status = Py_PreInitialize(&preconfig);
	if (PyStatus_Exception(status))
		return status;
	PyConfig_InitIsolatedConfig(&config);
	config.install_signal_handlers = 0;
	status = PyConfig_SetBytesString(&config, &config.program_name, host_python_path);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	return status;
}

static void
check_interpreter(void)
{
	if (access(host_python_path, X_OK) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the server's account cannot run the interpreter \"%s\": %m", host_python_path),
				 errhint("Run \"ruattn doctor\", or set ruattn_fdw.python to an interpreter that this account can run.")));
}

static void
start_python(void)
{
	PyStatus	status;

	status = initialize_python();
	if (PyStatus_Exception(status))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("could not start the interpreter \"%s\": %s", host_python_path,
						status.err_msg ? status.err_msg : "it exited"),
				 errhint("Run \"ruattn doctor\".")));
}

/* PL/Python started the interpreter: add our environment's packages to its path. */
static int
add_site_packages(void)
{
	static const char code[] =
		"import os, site, sys, sysconfig\n"
		"root = os.path.dirname(os.path.dirname(python))\n"
		"site.addsitedir(sysconfig.get_path('purelib', 'posix_prefix', vars={'base': root, 'platbase': root}))\n";
	PyObject   *scope = Py_BuildValue("{s:s}", "python", host_python_path);
	PyObject   *result = NULL;

	if (scope != NULL && PyDict_SetItemString(scope, "__builtins__", PyEval_GetBuiltins()) == 0)
		result = PyRun_String(code, Py_file_input, scope, scope);
	Py_XDECREF(scope);
	Py_XDECREF(result);
	return result ? 0 : -1;
}

static int
register_module(void)
{
	PyObject   *module = host_module_create();
	int			status;

	if (module == NULL)
		return -1;
	status = PyDict_SetItemString(PyImport_GetModuleDict(), "_ruattn_host", module);
	Py_DECREF(module);
	return status;
}

static int
load_bridge(void)
{
	PyObject   *module = PyImport_ImportModule("ruattn_fdw.bridge");
	PyObject   *ready = NULL;
	const struct
	{
		const char *name;
		PyObject  **slot;
	}			functions[] = {
		{"open_table", &bridge.open_table}, {"describe", &bridge.describe},
		{"estimate", &bridge.estimate}, {"explain", &bridge.explain},
		{"start", &bridge.start}, {"validate", &bridge.validate}, {"import_schema", &bridge.import_schema},
		{"function", &bridge.function}, {"pool", &bridge.pool}, {"Unknown", &bridge.unknown},
	};

	if (module == NULL)
		return -1;
	for (int i = 0; i < lengthof(functions); i++)
	{
		*functions[i].slot = PyObject_GetAttrString(module, functions[i].name);
		if (*functions[i].slot == NULL)
			return -1;
	}
	ready = PyObject_CallMethod(module, "preload", NULL);
	Py_DECREF(module);
	Py_XDECREF(ready);
	return ready ? 0 : -1;
}

/* BLAS and OpenMP read these when numpy is imported; later changes go through threadpoolctl. */
static void
start_single_threaded(void)
{
	static const char *const names[] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
	"BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS"};

	for (int i = 0; i < lengthof(names) - 1; i++)
		setenv(names[i], "1", 1);
	setenv(names[lengthof(names) - 1], "256", 1);
}

static void
start_bridge(void)
{
	bool		was_running = Py_IsInitialized();
	sigset_t	saved;
	int			status = -1;

	check_interpreter();
	if (was_running)
		check_running_interpreter();
	else
		start_plpython_first();

	start_single_threaded();
	block_signals(&saved);
	PG_TRY();
	{
		was_running = Py_IsInitialized();
		if (!was_running)
			start_python();
		if ((was_running || announce_plpy() == 0) && host_buffer_init() == 0 && host_mapping_init() == 0 &&
			register_module() == 0 &&
			(!was_running || add_site_packages() == 0))
			status = load_bridge();
		host_checked_status(status);
	}
	PG_FINALLY();
	{
		sigprocmask(SIG_SETMASK, &saved, NULL);
	}
	PG_END_TRY();
	bridge_pid = getpid();
	bridge_ready = true;
}

/* The functions of ruattn_fdw.bridge, in an interpreter that this process may use. */
const HostBridge *
host_bridge(void)
{
	if (!bridge_ready)
		start_bridge();
	else if (bridge_pid != getpid())
	{
		/* a pair, of which the second undoes what the first locks; at the fork itself nothing was locked */
		PyOS_BeforeFork();
		PyOS_AfterFork_Child();
		bridge_pid = getpid();
	}
	return &bridge;
}
