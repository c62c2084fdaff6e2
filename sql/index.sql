-- The index access method: the list of a table's rows from which searches know what they have read already.

CREATE FUNCTION ruvector_attention_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION ruvector_attention_handler(internal) IS 'handler of the access method ruvector_attention';

CREATE ACCESS METHOD ruvector_attention TYPE INDEX HANDLER ruvector_attention_handler;
COMMENT ON ACCESS METHOD ruvector_attention IS
    'indexes that declare how a vector column is searched and keep its searches fast';

CREATE OPERATOR CLASS ruvector_real_ops DEFAULT FOR TYPE real[] USING ruvector_attention AS STORAGE real[];
COMMENT ON OPERATOR FAMILY ruvector_real_ops USING ruvector_attention IS 'attention over real[]';
COMMENT ON OPERATOR CLASS ruvector_real_ops USING ruvector_attention IS 'attention over real[]';

CREATE OPERATOR CLASS ruvector_double_ops DEFAULT FOR TYPE double precision[] USING ruvector_attention
    AS STORAGE double precision[];
COMMENT ON OPERATOR FAMILY ruvector_double_ops USING ruvector_attention IS 'attention over double precision[]';
COMMENT ON OPERATOR CLASS ruvector_double_ops USING ruvector_attention IS 'attention over double precision[]';

CREATE FUNCTION ruvector_create_attention_index(
    table_name text, vector_column text, attention_type text DEFAULT NULL, num_heads integer DEFAULT NULL,
    head_dim integer DEFAULT NULL, dtype text DEFAULT NULL, include text[] DEFAULT NULL, index_name text DEFAULT NULL
) RETURNS regclass
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION ruvector_create_attention_index(text, text, text, integer, integer, text, text[], text) IS
    'CREATE INDEX ... USING ruvector_attention; what is NULL is not declared, include names the columns kept beside the vector';

CREATE FUNCTION ruvector_drop_attention_index(index regclass) RETURNS void
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION ruvector_drop_attention_index(regclass) IS 'DROP INDEX, for attention indexes only';

CREATE FUNCTION ruvector_attention_index_stats(
    index regclass, OUT entries bigint, OUT nulls bigint, OUT dead bigint, OUT blocks bigint, OUT build bigint,
    OUT epoch bigint
)
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION ruvector_attention_index_stats(regclass) IS
    'what an attention index holds: entries in all, those of rows without a vector, those of rows removed since its build, blocks of the file, and two random numbers: build is drawn with each build, epoch also before entries are removed';

CREATE FUNCTION ruvector_attention_index_check(index regclass, OUT place bigint, OUT problem text) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION ruvector_attention_index_check(regclass) IS
    'compares an attention index with its table; no rows: it is right';
