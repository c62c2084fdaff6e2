/*
 * index_pages.c: the pages of an attention index, and all that writes them.
 *
 * Block 0 is the metapage, every other page holds entries of six bytes in order of
 * arrival; pd_lower says how many. New entries go to one of a few tail pages, so
 * that backends seldom wait for each other. All pages but the tails are full.
 *
 * Locks are taken in this order: metapage, tail, new page.
 */
#include "host.h"
#include "index.h"

#include "access/generic_xlog.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"

#define META_BLOCK 0
#define META_MAGIC 0x52414E58
#define FORMAT_VERSION 1
#define PAGE_ID 0xA77E
#define TAILS 8
#define PLACE_BITS ((INT64CONST(1) << 48) - 1)

typedef struct IndexMeta
{
	uint32		magic;
	uint32		version;
	uint64		build;			/* 0 in an init fork: the first insertion draws it */
	uint64		epoch;
	uint64		settled;		/* entries on pages that are tails no more */
	BlockNumber tails[TAILS];	/* 0: none */
} IndexMeta;

typedef struct PageTrailer
{
	uint32		unused;
	uint16		reserved;
	uint16		page_id;
} PageTrailer;

#define CAPACITY \
	((uint16) ((BLCKSZ - MAXALIGN(SizeOfPageHeaderData) - MAXALIGN(sizeof(PageTrailer))) / sizeof(IndexEntry)))

StaticAssertDecl(MaxOffsetNumber <= ENTRY_OFFSET, "an offset number must leave room for the flags");
StaticAssertDecl(sizeof(IndexEntry) == 6, "an entry takes six bytes");

/* ---- one page ---- */

static void HOST_NORETURN
report_damage(Relation index, BlockNumber block, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("block %u of index \"%s\" %s", block, RelationGetRelationName(index), what),
			 errhint("Please REINDEX it.")));
}

static IndexEntry *
page_entries(Page page)
{
	return (IndexEntry *) PageGetContents(page);
}

/* 0 for a page of zeros too */
static uint16
page_count(Page page)
{
	if (PageIsNew(page))
		return 0;
	return (((PageHeader) page)->pd_lower - MAXALIGN(SizeOfPageHeaderData)) / sizeof(IndexEntry);
}

static void
init_page(Page page)
{
	PageInit(page, BLCKSZ, sizeof(PageTrailer));
	((PageTrailer *) PageGetSpecialPointer(page))->page_id = PAGE_ID;
	((PageHeader) page)->pd_lower = MAXALIGN(SizeOfPageHeaderData);
}

static void
add_to_page(Page page, const IndexEntry *entry)
{
	page_entries(page)[page_count(page)] = *entry;
	((PageHeader) page)->pd_lower += sizeof(IndexEntry);
}

static IndexEntry
make_entry(ItemPointer tid, bool isnull)
{
	IndexEntry	entry = *tid;

	if (isnull)
		entry.ip_posid |= ENTRY_NULL;
	return entry;
}

ItemPointerData
host_entry_tid(const IndexEntry *entry)
{
	ItemPointerData tid = *entry;

	tid.ip_posid &= ENTRY_OFFSET;
	return tid;
}

uint16
host_index_capacity(void)
{
	return CAPACITY;
}

/*
 * What is wrong with a page that must hold entries, NULL if nothing is. A page of
 * zeros is right: it was added to the file, and a crash came before it was written.
 */
static const char *
page_fault(Page page)
{
	PageHeader	header = (PageHeader) page;
	int			used = (int) header->pd_lower - (int) MAXALIGN(SizeOfPageHeaderData);

	if (PageIsNew(page))
		return NULL;
	if (PageGetSpecialSize(page) != MAXALIGN(sizeof(PageTrailer)) ||
		((PageTrailer *) PageGetSpecialPointer(page))->page_id != PAGE_ID)
		return "holds no attention entries";
	if (used < 0 || used % (int) sizeof(IndexEntry) != 0 || header->pd_lower > header->pd_upper)
		return "has a wrong count of entries";
	return NULL;
}

/* The page of a locked buffer. */
static Page
entry_page(Relation index, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	const char *fault = page_fault(page);

	if (fault != NULL)
		report_damage(index, BufferGetBlockNumber(buffer), fault);
	return page;
}

/* A new page at the end of the file, exclusively locked. */
static Buffer
extend(Relation index, ForkNumber fork)
{
#if PG_VERSION_NUM >= 160000
	return ExtendBufferedRel(BMR_REL(index), fork, NULL, EB_LOCK_FIRST);
#else
	bool		shared = !RELATION_IS_LOCAL(index);
	Buffer		buffer;

	if (shared)
		LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBufferExtended(index, fork, P_NEW, RBM_NORMAL, NULL);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (shared)
		UnlockRelationForExtension(index, ExclusiveLock);
	return buffer;
#endif
}

/* ---- the metapage ---- */

static IndexMeta *
page_meta(Page page)
{
	return (IndexMeta *) PageGetContents(page);
}

static Buffer
lock_meta(Relation index, int mode)
{
	Buffer		buffer = ReadBuffer(index, META_BLOCK);
	Page		page;

	LockBuffer(buffer, mode);
	page = BufferGetPage(buffer);
	if (PageIsNew(page) || page_meta(page)->magic != META_MAGIC)
		report_damage(index, META_BLOCK, "is no metapage of an attention index");
	if (page_meta(page)->version != FORMAT_VERSION)
		report_damage(index, META_BLOCK, "has the format of another version of ruattn_fdw");
	return buffer;
}

static IndexMeta
read_meta(Relation index)
{
	Buffer		buffer = lock_meta(index, BUFFER_LOCK_SHARE);
	IndexMeta	meta = *page_meta(BufferGetPage(buffer));

	UnlockReleaseBuffer(buffer);
	return meta;
}

static void
init_meta(Page page)
{
	IndexMeta  *meta;

	PageInit(page, BLCKSZ, sizeof(PageTrailer));
	((PageTrailer *) PageGetSpecialPointer(page))->page_id = PAGE_ID;
	meta = page_meta(page);
	memset(meta, 0, sizeof(IndexMeta));
	meta->magic = META_MAGIC;
	meta->version = FORMAT_VERSION;
	((PageHeader) page)->pd_lower = (char *) (meta + 1) - (char *) page;
}

/* Never 0, which says that nothing was drawn. */
static uint64
draw(void)
{
	uint64		number = 0;

	while (number == 0)
		if (!pg_strong_random(&number, sizeof(number)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
	return number;
}

/* The metapage, with its build drawn now if it never was. */
static IndexMeta
begun_meta(Relation index)
{
	IndexMeta	meta = read_meta(index);
	Buffer		buffer;

	if (meta.build != 0)
		return meta;
	buffer = lock_meta(index, BUFFER_LOCK_EXCLUSIVE);
	if (page_meta(BufferGetPage(buffer))->build == 0)
	{
		GenericXLogState *state = GenericXLogStart(index);
		IndexMeta  *fresh = page_meta(GenericXLogRegisterBuffer(state, buffer, 0));

		fresh->build = draw();
		fresh->epoch = draw();
		GenericXLogFinish(state);
	}
	meta = *page_meta(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	return meta;
}

/*
 * To be called behind the last removal of a sweep, and before an address is free: who
 * read the entries while the sweep was at work has seen some of the removals only.
 */
void
host_index_redraw_epoch(Relation index)
{
	Buffer		buffer = lock_meta(index, BUFFER_LOCK_EXCLUSIVE);
	GenericXLogState *state = GenericXLogStart(index);

	page_meta(GenericXLogRegisterBuffer(state, buffer, 0))->epoch = draw();
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

uint64
host_index_epoch(Relation index)
{
	return read_meta(index).epoch;
}

/*
 * The metapage stays locked while the tails are counted, so that none is replaced
 * meanwhile. Insertions are not kept out: `length` may count some of them and not
 * others, but a later call that finds the same number proves that there was none
 * in between.
 */
void
host_index_version(Relation index, IndexVersion *version)
{
	Buffer		buffer = lock_meta(index, BUFFER_LOCK_SHARE);
	IndexMeta  *meta = page_meta(BufferGetPage(buffer));

	version->build = meta->build;
	version->epoch = meta->epoch;
	version->length = meta->settled;
	for (int i = 0; i < TAILS; i++)
	{
		Buffer		tail;

		if (meta->tails[i] == 0)
			continue;
		tail = ReadBuffer(index, meta->tails[i]);
		LockBuffer(tail, BUFFER_LOCK_SHARE);
		version->length += page_count(entry_page(index, tail));
		UnlockReleaseBuffer(tail);
	}
	version->blocks = RelationGetNumberOfBlocks(index) - 1;
	UnlockReleaseBuffer(buffer);
}

/* ---- reading ---- */

/* The entries of a block, or what is wrong with it. */
const char *
host_index_inspect(Relation index, BlockNumber block, BufferAccessStrategy strategy, IndexPage *copy)
{
	Buffer		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	Page		page = BufferGetPage(buffer);
	const char *fault;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	fault = page_fault(page);
	copy->count = fault == NULL ? page_count(page) : 0;
	memcpy(copy->entries, page_entries(page), copy->count * sizeof(IndexEntry));
	UnlockReleaseBuffer(buffer);
	return fault;
}

void
host_index_page(Relation index, BlockNumber block, BufferAccessStrategy strategy, IndexPage *copy)
{
	const char *fault = host_index_inspect(index, block, strategy, copy);

	if (fault != NULL)
		report_damage(index, block, fault);
}

/* How many of these places, which stand above the number of their leaf, lie on each block but the first. */
uint16 *
host_index_count_places(const int64 *places, size_t count, int leaf, BlockNumber blocks)
{
	uint16	   *counts = palloc0(Max(blocks, 1) * sizeof(uint16));

	for (size_t i = 0; i < count; i++)
	{
		uint64		block = (places[i] & PLACE_BITS) / CAPACITY;

		if (places[i] >> 48 == leaf && block < blocks)
			counts[block]++;
	}
	return counts;
}

/*
 * Every entry beyond the known[block - 1] first ones of each of `nknown` blocks, in
 * order of place. Full pages that are known in full are not read.
 */
void
host_index_entries(Relation index, const uint16 *known, BlockNumber nknown, IndexEntryBody body, void *arg)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(index);
	IndexPage  *page = palloc(sizeof(IndexPage));

	for (BlockNumber block = META_BLOCK + 1; block < blocks; block++)
	{
		uint16		start = block - 1 < nknown ? known[block - 1] : 0;

		CHECK_FOR_INTERRUPTS();
		if (start >= CAPACITY)
			continue;
		host_index_page(index, block, NULL, page);
		for (uint16 slot = start; slot < page->count; slot++)
		{
			ItemPointerData tid = host_entry_tid(&page->entries[slot]);

			body(arg, (uint64) (block - 1) * CAPACITY + slot, &tid,
				 ENTRY_IS_NULL(&page->entries[slot]), ENTRY_IS_DEAD(&page->entries[slot]));
		}
	}
	pfree(page);
}

/* ---- appending ---- */

typedef enum Outcome
{
	APPENDED,
	TAIL_BUSY,
	TAIL_FULL
} Outcome;

static Outcome
try_tail(Relation index, BlockNumber block, const IndexEntry *entry, bool wait)
{
	Buffer		buffer = ReadBuffer(index, block);
	GenericXLogState *state;

	if (wait)
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	else if (!ConditionalLockBuffer(buffer))
	{
		ReleaseBuffer(buffer);
		return TAIL_BUSY;
	}
	if (PageIsNew(entry_page(index, buffer)))
		report_damage(index, block, "is a tail, but was never written");
	if (page_count(BufferGetPage(buffer)) >= CAPACITY)
	{
		UnlockReleaseBuffer(buffer);
		return TAIL_FULL;
	}
	state = GenericXLogStart(index);
	add_to_page(GenericXLogRegisterBuffer(state, buffer, 0), entry);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	return APPENDED;
}

/*
 * Make a new page, with this entry on it, the tail at `slot`, where `old` (a full
 * page, or 0) is now. False if another backend was faster. Page and metapage are
 * one WAL record: a crash before it leaves a page of zeros, which nobody counts.
 */
static bool
open_tail(Relation index, int slot, BlockNumber old, const IndexEntry *entry)
{
	Buffer		meta_buffer = lock_meta(index, BUFFER_LOCK_EXCLUSIVE);
	Buffer		buffer;
	GenericXLogState *state;
	IndexMeta  *meta;
	Page		page;

	if (page_meta(BufferGetPage(meta_buffer))->tails[slot] != old)
	{
		UnlockReleaseBuffer(meta_buffer);
		return false;
	}
	buffer = extend(index, MAIN_FORKNUM);
	state = GenericXLogStart(index);
	meta = page_meta(GenericXLogRegisterBuffer(state, meta_buffer, 0));
	page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
	init_page(page);
	add_to_page(page, entry);
	meta->tails[slot] = BufferGetBlockNumber(buffer);
	if (old != 0)
		meta->settled += CAPACITY;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(meta_buffer);
	return true;
}

/* One try, with the tails as they were; a further tail is opened only if all there are are busy. */
static bool
append_somewhere(Relation index, const IndexMeta *meta, const IndexEntry *entry)
{
	int			own = MyProcPid % TAILS;
	int			vacant = -1;

	for (int i = 0; i < TAILS; i++)
	{
		int			slot = (own + i) % TAILS;
		Outcome		outcome;

		if (meta->tails[slot] == 0)
		{
			if (vacant < 0)
				vacant = slot;
			continue;
		}
		outcome = try_tail(index, meta->tails[slot], entry, false);
		if (outcome == APPENDED)
			return true;
		if (outcome == TAIL_FULL)
			return open_tail(index, slot, meta->tails[slot], entry);
	}
	if (vacant >= 0)
		return open_tail(index, vacant, 0, entry);
	return try_tail(index, meta->tails[own], entry, true) == APPENDED;
}

void
host_index_append(Relation index, ItemPointer tid, bool isnull)
{
	IndexEntry	entry = make_entry(tid, isnull);
	IndexMeta	meta = begun_meta(index);

	while (!append_somewhere(index, &meta, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		meta = begun_meta(index);
	}
}

/* ---- removal ---- */

void
host_index_tombstone(Relation index, BlockNumber block, BufferAccessStrategy strategy, const uint16 *slots, int count)
{
	Buffer		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	GenericXLogState *state;
	IndexEntry *entries;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	state = GenericXLogStart(index);
	entries = page_entries(GenericXLogRegisterBuffer(state, buffer, 0));
	for (int i = 0; i < count; i++)
		entries[slots[i]].ip_posid |= ENTRY_DEAD;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

/* ---- building: nobody else sees the pages yet, their WAL is written at the end ---- */

static BlockNumber
place_page(IndexBuild *build)
{
	Buffer		buffer = extend(build->index, MAIN_FORKNUM);
	BlockNumber block = BufferGetBlockNumber(buffer);

	memcpy(BufferGetPage(buffer), build->page.data, BLCKSZ);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
	return block;
}

void
host_index_build_begin(IndexBuild *build, Relation index)
{
	build->index = index;
	build->settled = 0;
	init_meta(build->page.data);
	if (place_page(build) != META_BLOCK)
		elog(ERROR, "index \"%s\" already holds data", RelationGetRelationName(index));
	init_page(build->page.data);
}

void
host_index_build_add(IndexBuild *build, ItemPointer tid, bool isnull)
{
	IndexEntry	entry = make_entry(tid, isnull);

	if (page_count(build->page.data) == CAPACITY)
	{
		place_page(build);
		build->settled += CAPACITY;
		init_page(build->page.data);
	}
	add_to_page(build->page.data, &entry);
}

/* The last page becomes the only tail. Returns the number of entries. */
uint64
host_index_build_end(IndexBuild *build)
{
	uint16		last = page_count(build->page.data);
	BlockNumber tail = last > 0 ? place_page(build) : 0;
	Buffer		buffer = lock_meta(build->index, BUFFER_LOCK_EXCLUSIVE);
	IndexMeta  *meta = page_meta(BufferGetPage(buffer));

	meta->build = draw();
	meta->epoch = draw();
	meta->settled = build->settled;
	meta->tails[0] = tail;
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
	if (RelationNeedsWAL(build->index))
		log_newpage_range(build->index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(build->index), true);
	return build->settled + last;
}

/* The init fork of an unlogged index. */
void
host_index_create_empty(Relation index)
{
	Buffer		buffer = extend(index, INIT_FORKNUM);

	START_CRIT_SECTION();
	init_meta(BufferGetPage(buffer));
	MarkBufferDirty(buffer);
	log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}
