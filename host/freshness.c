/*
 * freshness.c: what proves that a copy of a source's rows is what the snapshot sees.
 *
 * By the snapshot. Two snapshots that hold the same transactions for running see
 * the same rows of all other transactions: whoever is not among them and is older
 * than xmax had ended before the first was taken. What this transaction wrote is
 * seen by command, so a transaction that has written anything gets no such proof.
 * A serializable one must meet the writers of what it reads, so it reads.
 *
 * By the row versions. Under one identity an address and the inserting transaction
 * name one row version: the address is used again only after VACUUM has found its
 * row dead to everybody, when the inserter has ended, and the identity ends before
 * a transaction number that precedes the next one comes back. A frozen row keeps
 * the number of its inserter, which may be so old that it does not precede the
 * next one any more: such a row proves nothing.
 */
#include "leaves.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* ---- snapshot() ---- */

static void
append_xids(StringInfo text, const TransactionId *xids, uint32 count)
{
	appendBinaryStringInfo(text, (const char *) &count, sizeof(count));
	appendBinaryStringInfo(text, (const char *) xids, count * sizeof(TransactionId));
}

/* Nothing where the snapshot proves nothing. */
static void
describe_snapshot(void *arg)
{
	StringInfo	text = arg;
	Snapshot	snapshot = GetActiveSnapshot();
	uint32		epoch = EpochFromFullTransactionId(ReadNextFullTransactionId());
	bool		flags[2];

	initStringInfo(text);
	if (snapshot->snapshot_type != SNAPSHOT_MVCC || TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		IsolationIsSerializable())
		return;
	flags[0] = snapshot->suboverflowed;
	flags[1] = snapshot->takenDuringRecovery;
	append_xids(text, &epoch, 1);
	append_xids(text, &snapshot->xmin, 1);
	append_xids(text, &snapshot->xmax, 1);
	append_xids(text, snapshot->xip, snapshot->xcnt);
	append_xids(text, snapshot->subxip, snapshot->subxcnt);
	appendBinaryStringInfo(text, (const char *) flags, sizeof(flags));
}

PyObject *
host_snapshot(PyObject *self, PyObject *unused)
{
	StringInfoData text;
	PyObject   *bytes;

	if (!host_guard(describe_snapshot, &text))
		return NULL;
	bytes = PyBytes_FromStringAndSize(text.data, text.len);
	pfree(text.data);
	return bytes;
}

/* ---- heap_keys(leaves) ---- */

typedef struct HeapWalk
{
	Leaves		leaves;
	HostBuffer *tids;
	HostBuffer *xmins;
	bool		provable;
} HeapWalk;

/* Room for all rows of a page. */
static void
reserve_keys(HeapWalk *walk)
{
	if (!host_buffer_reserve(walk->tids, MaxHeapTuplesPerPage * sizeof(int64)) ||
		!host_buffer_reserve(walk->xmins, MaxHeapTuplesPerPage * sizeof(TransactionId)))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for the addresses of rows")));
}

static inline void
append_key(HeapWalk *walk, int64 tid, TransactionId xmin, TransactionId next)
{
	*(int64 *) (walk->tids->data + walk->tids->used) = tid;
	*(TransactionId *) (walk->xmins->data + walk->xmins->used) = xmin;
	walk->tids->used += sizeof(tid);
	walk->xmins->used += sizeof(xmin);
	if (TransactionIdIsNormal(xmin) && !TransactionIdPrecedes(xmin, next))
		walk->provable = false;
}

/* The headers of a page's rows lie far apart: wait for all of them at once. */
static void
fetch_headers(Page page, OffsetNumber last)
{
	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		ItemId		item = PageGetItemId(page, offset);

		if (ItemIdIsNormal(item))
			__builtin_prefetch(PageGetItem(page, item));
	}
}

/* The row versions of one page that the snapshot sees. */
static void
walk_page(HeapWalk *walk, int leaf, Relation relation, Buffer buffer, Snapshot snapshot, TransactionId next)
{
	Page		page = BufferGetPage(buffer);
	bool		all_visible = PageIsAllVisible(page) && !snapshot->takenDuringRecovery;
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	fetch_headers(page, last);
	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		ItemId		item = PageGetItemId(page, offset);
		HeapTupleData tuple;

		if (!ItemIdIsNormal(item))
			continue;
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		tuple.t_tableOid = RelationGetRelid(relation);
		ItemPointerSet(&tuple.t_self, BufferGetBlockNumber(buffer), offset);
		if (all_visible || HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer))
			append_key(walk, host_pack_tid(leaf, &tuple.t_self), HeapTupleHeaderGetRawXmin(tuple.t_data), next);
	}
}

/* A page of the relation, pinned; the memory that it begins in is fetched meanwhile. */
static Buffer
pin_page(Relation relation, BlockNumber block, BlockNumber blocks, BufferAccessStrategy strategy)
{
	Buffer		buffer;

	if (block >= blocks)
		return InvalidBuffer;
	buffer = ReadBufferExtended(relation, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	__builtin_prefetch(BufferGetPage(buffer));
	return buffer;
}

static void
walk_leaf(HeapWalk *walk, int leaf, Relation relation)
{
	Snapshot	snapshot = GetActiveSnapshot();
	TransactionId next = XidFromFullTransactionId(ReadNextFullTransactionId());
	BlockNumber blocks = RelationGetNumberOfBlocks(relation);
	BufferAccessStrategy strategy = blocks > NBuffers / 4 ? GetAccessStrategy(BAS_BULKREAD) : NULL;
	Buffer		next_buffer = pin_page(relation, 0, blocks, strategy);

	for (BlockNumber block = 0; block < blocks; block++)
	{
		Buffer		buffer = next_buffer;

		next_buffer = pin_page(relation, block + 1, blocks, strategy);
		CHECK_FOR_INTERRUPTS();
		reserve_keys(walk);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
#if PG_VERSION_NUM < 170000
		TestForOldSnapshot(snapshot, relation, BufferGetPage(buffer));
#endif
		walk_page(walk, leaf, relation, buffer, snapshot, next);
		UnlockReleaseBuffer(buffer);
	}
	if (strategy != NULL)
		FreeAccessStrategy(strategy);
}

static void
walk_leaves(void *arg)
{
	HeapWalk   *walk = arg;

	for (int i = 0; i < walk->leaves.count; i++)
	{
		Relation	relation = table_open(walk->leaves.oids[i], NoLock);

		walk_leaf(walk, i, relation);
		table_close(relation, NoLock);
	}
}

PyObject *
host_heap_keys(PyObject *self, PyObject *args)
{
	HeapWalk	walk = {.provable = true};
	PyObject   *bytes;
	PyObject   *result = NULL;

	if (!PyArg_ParseTuple(args, "O:heap_keys", &bytes) || !host_leaves_given(bytes, &walk.leaves))
		return NULL;
	walk.tids = host_buffer_new('q');
	walk.xmins = host_buffer_new('I');
	if (walk.tids != NULL && walk.xmins != NULL && host_guard(walk_leaves, &walk))
	{
		host_buffer_shape(walk.tids, walk.tids->used / sizeof(int64), 0);
		host_buffer_shape(walk.xmins, walk.xmins->used / sizeof(TransactionId), 0);
		result = Py_BuildValue("OOO", walk.tids, walk.xmins, walk.provable ? Py_True : Py_False);
	}
	Py_XDECREF(walk.tids);
	Py_XDECREF(walk.xmins);
	return result;
}
