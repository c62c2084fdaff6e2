/*
 * userlock.c: a lock between the backends of one database that can be waited for
 * as any other, and ends with the transaction at the latest.
 */
#include "leaves.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"

#define LOCK_CLASS 0x7275

typedef struct UserLock
{
	unsigned long long key;
	bool		wait;
	bool		done;
} UserLock;

/* PostgreSQL itself takes no lock of this type; other than object locks it is free on a standby. */
static LOCKTAG
lock_tag(const UserLock *lock)
{
	LOCKTAG		tag;

	tag.locktag_field1 = MyDatabaseId;
	tag.locktag_field2 = (uint32) (lock->key >> 32);
	tag.locktag_field3 = (uint32) lock->key;
	tag.locktag_field4 = LOCK_CLASS;
	tag.locktag_type = LOCKTAG_USERLOCK;
	tag.locktag_lockmethodid = USER_LOCKMETHOD;
	return tag;
}

static void
acquire(void *arg)
{
	UserLock   *lock = arg;
	LOCKTAG		tag = lock_tag(lock);

	lock->done = LockAcquire(&tag, ExclusiveLock, false, !lock->wait) != LOCKACQUIRE_NOT_AVAIL;
}

static void
release(void *arg)
{
	LOCKTAG		tag = lock_tag(arg);

	LockRelease(&tag, ExclusiveLock, false);
}

PyObject *
host_lock(PyObject *self, PyObject *args)
{
	UserLock	lock = {0};
	int			wait;

	if (!PyArg_ParseTuple(args, "Kp:lock", &lock.key, &wait))
		return NULL;
	lock.wait = wait;
	if (!host_guard(acquire, &lock))
		return NULL;
	return PyBool_FromLong(lock.done);
}

PyObject *
host_unlock(PyObject *self, PyObject *args)
{
	UserLock	lock = {0};

	if (!PyArg_ParseTuple(args, "K:unlock", &lock.key))
		return NULL;
	if (host_error_pending())	/* the transaction ends and gives the lock back */
		Py_RETURN_NONE;
	if (!host_guard(release, &lock))
		return NULL;
	Py_RETURN_NONE;
}
