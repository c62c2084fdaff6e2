/*
 * blocks.h: blocks of a problem, taken by threads as they come. After arguments.h.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define MOST_THREADS 256

typedef void (*OfBlock) (const void *problem, ptrdiff_t block);

typedef struct Work
{
	OfBlock		of_block;
	const void *problem;
	ptrdiff_t	end;
	atomic_ptrdiff_t next;
} Work;

static void *
take_blocks(void *argument)
{
	Work	   *work = argument;
	ptrdiff_t	block;

	while ((block = atomic_fetch_add(&work->next, 1)) < work->end)
		work->of_block(work->problem, block);
	return NULL;
}

/*
 * Blocks [first, end) by so many threads, this one among them. The others live for the
 * call and take no signal but those of their own faults: a server's handlers belong
 * to its main thread. Where the system gives fewer threads, these do all.
 */
static void
run_blocks(OfBlock of_block, const void *problem, ptrdiff_t first, ptrdiff_t end, int threads)
{
	Work		work = {.of_block = of_block, .problem = problem, .end = end};
	pthread_t	helpers[MOST_THREADS];
	int			started = 0;
	sigset_t	blocked;
	sigset_t	previous;

	atomic_init(&work.next, first);
	if (threads > 1 && end - first > 1)
	{
		sigfillset(&blocked);
		sigdelset(&blocked, SIGBUS);
		sigdelset(&blocked, SIGSEGV);
		sigdelset(&blocked, SIGFPE);
		sigdelset(&blocked, SIGILL);
		pthread_sigmask(SIG_BLOCK, &blocked, &previous);
		while (started < threads - 1 && started < MOST_THREADS &&
			   pthread_create(&helpers[started], NULL, take_blocks, &work) == 0)
			started++;
		pthread_sigmask(SIG_SETMASK, &previous, NULL);
	}
	take_blocks(&work);
	while (started > 0)
		pthread_join(helpers[--started], NULL);
}

/* What is given for a range of blocks and how they are run. */
typedef struct Run
{
	Py_ssize_t	first;
	Py_ssize_t	end;
	int			threads;
	int			set;
} Run;

static int
check_run(const Run *run, Py_ssize_t blocks)
{
	if (0 <= run->first && run->first <= run->end && run->end <= blocks && run->threads > 0)
		return 1;
	PyErr_SetString(PyExc_ValueError, "no such range of blocks, or no thread");
	return 0;
}

static void
run_with_interpreter_free(OfBlock of_block, const void *problem, const Run *run)
{
	Py_BEGIN_ALLOW_THREADS
	run_blocks(of_block, problem, run->first, run->end, run->threads);
	Py_END_ALLOW_THREADS
}

/* Run all blocks; false with an exception set where no thread is given. */
static int
run_all(OfBlock of_block, const void *problem, Py_ssize_t blocks, Run *run)
{
	run->end = blocks;
	if (!check_run(run, blocks))
		return 0;
	run_with_interpreter_free(of_block, problem, run);
	return 1;
}
