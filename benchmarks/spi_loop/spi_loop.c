/*
 * The least that reading a vector column inside the server can cost: an SPI
 * cursor, each vector detoasted and copied into one growing block of memory.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(spi_loop);

#define FETCH 1000

static size_t
append_vector(char **block, size_t used, size_t *capacity, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	size_t		bytes = VARSIZE(array) - ARR_OVERHEAD_NONULLS(1);

	if (used + bytes > *capacity)
	{
		*capacity = Max(used + bytes, *capacity * 2);
		*block = realloc(*block, *capacity);
		if (*block == NULL)
			elog(ERROR, "out of memory");
	}
	memcpy(*block + used, ARR_DATA_PTR(array), bytes);
	if ((Pointer) array != DatumGetPointer(value))
		pfree(array);
	return used + bytes;
}

/* spi_loop(query text) -> bytes copied; the query returns (id, real[]) rows. */
PGDLLEXPORT Datum
spi_loop(PG_FUNCTION_ARGS)
{
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	size_t		capacity = 1024 * 1024;
	size_t		used = 0;
	char	   *block = malloc(capacity);
	Portal		portal;

	SPI_connect();
	portal = SPI_cursor_open(NULL, SPI_prepare(query, 0, NULL), NULL, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			bool		isnull;
			Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);

			if (!isnull)
				used = append_vector(&block, used, &capacity, value);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	free(block);
	PG_RETURN_INT64((int64) used);
}
