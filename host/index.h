/*
 * index.h: the index access method ruvector_attention, and how its readers see it.
 *
 * An index is the list of the heap TIDs of all rows of its table. An entry never
 * moves and never gets another TID: its place is the same heap tuple for as long
 * as the index has the same `build`. Removal marks an entry dead where it is.
 */
#ifndef RUATTN_INDEX_H
#define RUATTN_INDEX_H

#include "postgres.h"

#include "access/amapi.h"
#include "storage/itemptr.h"
#include "utils/rel.h"

/* ---- for readers ---- */

/* All zero in an index without a single entry yet. */
typedef struct IndexVersion
{
	uint64		build;			/* drawn at random when the list was begun */
	uint64		epoch;			/* drawn anew when entries have been removed */
	uint64		length;			/* entries, dead ones too: every insertion adds one */
	BlockNumber blocks;			/* of entries: 1 to `blocks` */
} IndexVersion;

/*
 * Called for each entry, with no buffer locked. place: (block - 1) times
 * host_index_capacity(), plus the entry's number on its page, from 0.
 */
typedef void (*IndexEntryBody) (void *arg, uint64 place, ItemPointer tid, bool isnull, bool dead);

extern void host_index_version(Relation index, IndexVersion *version);
extern uint64 host_index_epoch(Relation index);
extern uint16 host_index_capacity(void);
extern uint16 *host_index_count_places(const int64 *places, size_t count, int leaf, BlockNumber blocks);
extern void host_index_entries(Relation index, const uint16 *known, BlockNumber nknown, IndexEntryBody body, void *arg);
extern bool host_is_attention_index(Relation index);

/* what the index declares; NULL and 0 where it declares nothing */
extern const char *host_index_attention_type(Relation index);
extern int	host_index_num_heads(Relation index);
extern int	host_index_head_dim(Relation index);
extern const char *host_index_dtype(Relation index);

/* ---- index_pages.c, for the access method ---- */

/* A TID; in the high bits of its offset number the entry's flags. */
typedef ItemPointerData IndexEntry;

#define ENTRY_NULL ((OffsetNumber) 0x8000)
#define ENTRY_DEAD ((OffsetNumber) 0x4000)
#define ENTRY_OFFSET ((OffsetNumber) 0x3FFF)

#define ENTRY_FLAGS(entry) ItemPointerGetOffsetNumberNoCheck(entry)
#define ENTRY_IS_NULL(entry) ((ENTRY_FLAGS(entry) & ENTRY_NULL) != 0)
#define ENTRY_IS_DEAD(entry) ((ENTRY_FLAGS(entry) & ENTRY_DEAD) != 0)

/* entries of one page, copied */
typedef struct IndexPage
{
	uint16		count;
	IndexEntry	entries[BLCKSZ / sizeof(IndexEntry)];
} IndexPage;

extern ItemPointerData host_entry_tid(const IndexEntry *entry);
extern void host_index_page(Relation index, BlockNumber block, BufferAccessStrategy strategy, IndexPage *copy);
extern const char *host_index_inspect(Relation index, BlockNumber block, BufferAccessStrategy strategy, IndexPage *copy);
extern void host_index_append(Relation index, ItemPointer tid, bool isnull);
extern void host_index_redraw_epoch(Relation index);
extern void host_index_tombstone(Relation index, BlockNumber block, BufferAccessStrategy strategy,
								 const uint16 *slots, int count);
extern void host_index_create_empty(Relation index);

typedef struct IndexBuild
{
	Relation	index;
	PGAlignedBlock page;		/* being filled */
	uint64		settled;		/* entries on the pages before it */
} IndexBuild;

extern void host_index_build_begin(IndexBuild *build, Relation index);
extern void host_index_build_add(IndexBuild *build, ItemPointer tid, bool isnull);
extern uint64 host_index_build_end(IndexBuild *build);

/* ---- index_options.c ---- */

/* what vectors must measure up to; `kind` of the indexed column */
typedef struct IndexShape
{
	int			num_heads;		/* 0: not declared */
	int			head_dim;
	int			kind;			/* VectorKind */
} IndexShape;

extern void host_index_options_init(void);
extern bytea *host_index_options(Datum reloptions, bool validate);
extern IndexShape host_index_shape(Relation index);
extern void host_index_check_column(Relation index, const IndexShape *shape);
extern void host_index_check_vector(Relation index, const IndexShape *shape, Datum value, ItemPointer tid);

#endif
