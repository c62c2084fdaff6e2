-- complain if the script is sourced in psql rather than run by CREATE EXTENSION
\echo Use "CREATE EXTENSION ruattn_fdw" to load this file. \quit

-- The foreign data wrapper and the server that the tables belong to.

CREATE FUNCTION ruattn_fdw_handler() RETURNS fdw_handler
    AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION ruattn_fdw_handler() IS 'handler of the foreign data wrapper ruattn_fdw';

CREATE FUNCTION ruattn_fdw_validator(text[], oid) RETURNS void
    AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION ruattn_fdw_validator(text[], oid) IS 'checks the options of foreign tables';

CREATE FOREIGN DATA WRAPPER ruattn_fdw HANDLER ruattn_fdw_handler VALIDATOR ruattn_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER ruattn_fdw IS 'attention as virtual tables';

CREATE SERVER ruattn FOREIGN DATA WRAPPER ruattn_fdw;
COMMENT ON SERVER ruattn IS 'this database; its foreign tables read with the privileges of whoever asks';

-- Tables of this server give nobody anything that he could not read himself.
GRANT USAGE ON FOREIGN SERVER ruattn TO PUBLIC;

-- attention_vector: stored as real[] is. All casts into it are ASSIGNMENT casts, so that it never takes part in resolving
-- an operator of the user's own array columns.

CREATE TYPE attention_vector;

CREATE FUNCTION attention_vector_in(cstring) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_in(cstring) IS 'input of attention_vector: [0.1, 0.2] or {0.1, 0.2}';

CREATE FUNCTION attention_vector_out(attention_vector) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_out(attention_vector) IS 'output of attention_vector';

CREATE FUNCTION attention_vector_recv(internal) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_recv(internal) IS 'binary input of attention_vector';

CREATE FUNCTION attention_vector_send(attention_vector) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_send(attention_vector) IS 'binary output of attention_vector';

CREATE TYPE attention_vector (
    INPUT = attention_vector_in,
    OUTPUT = attention_vector_out,
    RECEIVE = attention_vector_recv,
    SEND = attention_vector_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE attention_vector IS 'vector given to an attention table as a parameter; takes every array type, and text in either notation';

-- Casts

CREATE FUNCTION attention_vector_from_array(real[]) RETURNS attention_vector
    AS 'MODULE_PATHNAME', 'attention_vector_from_real_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_array(real[]) IS 'cast of real[] to attention_vector';
CREATE CAST (real[] AS attention_vector) WITH FUNCTION attention_vector_from_array(real[]) AS ASSIGNMENT;
COMMENT ON CAST (real[] AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_to_real_array(attention_vector) RETURNS real[]
    AS 'MODULE_PATHNAME', 'attention_vector_from_real_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_to_real_array(attention_vector) IS 'cast of attention_vector to real[]';
CREATE CAST (attention_vector AS real[]) WITH FUNCTION attention_vector_to_real_array(attention_vector) AS ASSIGNMENT;
COMMENT ON CAST (attention_vector AS real[]) IS 'on assignment';

CREATE FUNCTION attention_vector_from_array(smallint[]) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_array(smallint[]) IS 'cast of smallint[] to attention_vector';
CREATE CAST (smallint[] AS attention_vector) WITH FUNCTION attention_vector_from_array(smallint[]) AS ASSIGNMENT;
COMMENT ON CAST (smallint[] AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_from_array(integer[]) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_array(integer[]) IS 'cast of integer[] to attention_vector';
CREATE CAST (integer[] AS attention_vector) WITH FUNCTION attention_vector_from_array(integer[]) AS ASSIGNMENT;
COMMENT ON CAST (integer[] AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_from_array(bigint[]) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_array(bigint[]) IS 'cast of bigint[] to attention_vector';
CREATE CAST (bigint[] AS attention_vector) WITH FUNCTION attention_vector_from_array(bigint[]) AS ASSIGNMENT;
COMMENT ON CAST (bigint[] AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_from_array(double precision[]) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_array(double precision[]) IS 'cast of double precision[] to attention_vector';
CREATE CAST (double precision[] AS attention_vector) WITH FUNCTION attention_vector_from_array(double precision[]) AS ASSIGNMENT;
COMMENT ON CAST (double precision[] AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_from_array(numeric[]) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_array(numeric[]) IS 'cast of numeric[] to attention_vector';
CREATE CAST (numeric[] AS attention_vector) WITH FUNCTION attention_vector_from_array(numeric[]) AS ASSIGNMENT;
COMMENT ON CAST (numeric[] AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_from_text(text) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_text(text) IS 'cast of text to attention_vector';
CREATE CAST (text AS attention_vector) WITH FUNCTION attention_vector_from_text(text);
COMMENT ON CAST (text AS attention_vector) IS 'explicit: [0.1, 0.2] or {0.1, 0.2}';

CREATE FUNCTION attention_vector_from_jsonb(jsonb) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_jsonb(jsonb) IS 'cast of jsonb to attention_vector';
CREATE CAST (jsonb AS attention_vector) WITH FUNCTION attention_vector_from_jsonb(jsonb);
COMMENT ON CAST (jsonb AS attention_vector) IS 'explicit: a JSON array of numbers';

-- Operators of attention_vector with itself: those of the array that it is, so that IN (SELECT ...), EXISTS, GROUP BY and
-- joins work. The only operators with an array on the other side are `=`, and none names an array type: an exact match with
-- one would win over anyarray = anyarray, so that users' own '{1,2}' = column would no longer resolve as before.

CREATE FUNCTION attention_vector_eq(attention_vector, attention_vector) RETURNS boolean
    AS 'array_eq' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, attention_vector) IS 'implementation of =';

CREATE FUNCTION attention_vector_ne(attention_vector, attention_vector) RETURNS boolean
    AS 'array_ne' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_ne(attention_vector, attention_vector) IS 'implementation of <>';

CREATE FUNCTION attention_vector_lt(attention_vector, attention_vector) RETURNS boolean
    AS 'array_lt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_lt(attention_vector, attention_vector) IS 'implementation of <';

CREATE FUNCTION attention_vector_le(attention_vector, attention_vector) RETURNS boolean
    AS 'array_le' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_le(attention_vector, attention_vector) IS 'implementation of <=';

CREATE FUNCTION attention_vector_ge(attention_vector, attention_vector) RETURNS boolean
    AS 'array_ge' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_ge(attention_vector, attention_vector) IS 'implementation of >=';

CREATE FUNCTION attention_vector_gt(attention_vector, attention_vector) RETURNS boolean
    AS 'array_gt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_gt(attention_vector, attention_vector) IS 'implementation of >';

CREATE FUNCTION attention_vector_cmp(attention_vector, attention_vector) RETURNS integer
    AS 'btarraycmp' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_cmp(attention_vector, attention_vector) IS 'comparison for btree: -1, 0 or 1';

CREATE FUNCTION attention_vector_hash(attention_vector) RETURNS integer
    AS 'hash_array' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_hash(attention_vector) IS 'hash';

CREATE FUNCTION attention_vector_hash_extended(attention_vector, bigint) RETURNS bigint
    AS 'hash_array_extended' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_hash_extended(attention_vector, bigint) IS 'hash with a seed';

CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel,
    HASHES, MERGES
);
COMMENT ON OPERATOR = (attention_vector, attention_vector) IS 'equal';

CREATE OPERATOR <> (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (attention_vector, attention_vector) IS 'not equal';

CREATE OPERATOR < (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (attention_vector, attention_vector) IS 'less than, element by element';

CREATE OPERATOR <= (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (attention_vector, attention_vector) IS 'less than or equal, element by element';

CREATE OPERATOR >= (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (attention_vector, attention_vector) IS 'greater than or equal, element by element';

CREATE OPERATOR > (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (attention_vector, attention_vector) IS 'greater than, element by element';

CREATE OPERATOR CLASS attention_vector_ops DEFAULT FOR TYPE attention_vector USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 attention_vector_cmp(attention_vector, attention_vector);
COMMENT ON OPERATOR FAMILY attention_vector_ops USING btree IS 'order of attention_vector';
COMMENT ON OPERATOR CLASS attention_vector_ops USING btree IS 'order of attention_vector: GROUP BY, merge joins';

CREATE OPERATOR CLASS attention_vector_ops DEFAULT FOR TYPE attention_vector USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 attention_vector_hash(attention_vector),
    FUNCTION 2 attention_vector_hash_extended(attention_vector, bigint);
COMMENT ON OPERATOR FAMILY attention_vector_ops USING hash IS 'hashing of attention_vector';
COMMENT ON OPERATOR CLASS attention_vector_ops USING hash IS 'hashing of attention_vector: IN (SELECT ...), hash joins';

CREATE FUNCTION attention_vector_eq(attention_vector, anyarray) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_eq_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, anyarray) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = anyarray, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, anyarray) IS 'equal once both are attention_vector';

CREATE FUNCTION attention_vector_eq(anyarray, attention_vector) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_array_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(anyarray, attention_vector) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = anyarray, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (anyarray, attention_vector) IS 'equal once both are attention_vector';

-- The aggregate attention_pool. The first vector of a group is its query; key, or value where one is given, is what is
-- averaged. anycompatiblearray lets the arguments be arrays of different number types.

CREATE FUNCTION attention_pool_final(internal) RETURNS real[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_final(internal) IS 'final function of attention_pool';

CREATE FUNCTION attention_pool_combine(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_combine(internal, internal) IS 'combine function of attention_pool';

CREATE FUNCTION attention_pool_serialize(internal) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_serialize(internal) IS 'serialisation function of attention_pool';

CREATE FUNCTION attention_pool_deserialize(bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_deserialize(bytea, internal) IS 'deserialisation function of attention_pool';

CREATE FUNCTION attention_pool_step(internal, anycompatiblearray, anycompatiblearray) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step(internal, anycompatiblearray, anycompatiblearray) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray) (
    SFUNC = attention_pool_step, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray) IS
    'attention output over the rows of a group: query, key';

CREATE FUNCTION attention_pool_step(internal, anycompatiblearray, anycompatiblearray, text) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step(internal, anycompatiblearray, anycompatiblearray, text) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray, text) (
    SFUNC = attention_pool_step, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray, text) IS
    'attention output over the rows of a group: query, key, attention_type';

CREATE FUNCTION attention_pool_step_value(internal, anycompatiblearray, anycompatiblearray, anycompatiblearray) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step_value(internal, anycompatiblearray, anycompatiblearray, anycompatiblearray) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray, anycompatiblearray) (
    SFUNC = attention_pool_step_value, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray, anycompatiblearray) IS
    'attention output over the rows of a group: query, key, value';

CREATE FUNCTION attention_pool_step_value(internal, anycompatiblearray, anycompatiblearray, anycompatiblearray, text) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step_value(internal, anycompatiblearray, anycompatiblearray, anycompatiblearray, text) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray, anycompatiblearray, text) (
    SFUNC = attention_pool_step_value, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(anycompatiblearray, anycompatiblearray, anycompatiblearray, text) IS
    'attention output over the rows of a group: query, key, value, attention_type';

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

CREATE FOREIGN TABLE attention_types (
    name text,
    aliases text[],
    family text,
    feature text,
    complexity text,
    memory text,
    best_for text,
    formula text,
    parameters jsonb,
    operations text[],
    weight_kind text,
    scope text,
    available boolean,
    reason text,
    reference text
)
SERVER ruattn OPTIONS (operation 'attention_types');
COMMENT ON FOREIGN TABLE attention_types IS 'Every attention mechanism, what it computes, what it takes and where it works.';
COMMENT ON COLUMN attention_types.name IS 'RESULT: name to give as attention_type';
COMMENT ON COLUMN attention_types.aliases IS 'RESULT: other names for it';
COMMENT ON COLUMN attention_types.family IS 'RESULT: group of mechanisms that it belongs to';
COMMENT ON COLUMN attention_types.feature IS 'RESULT: feature set that it belongs to';
COMMENT ON COLUMN attention_types.complexity IS 'RESULT: time for one query over n rows';
COMMENT ON COLUMN attention_types.memory IS 'RESULT: extra memory for one query over n rows';
COMMENT ON COLUMN attention_types.best_for IS 'RESULT: what it is good for';
COMMENT ON COLUMN attention_types.formula IS 'RESULT: what it computes';
COMMENT ON COLUMN attention_types.parameters IS 'RESULT: JSON schema of options';
COMMENT ON COLUMN attention_types.operations IS 'RESULT: tables and functions that take it';
COMMENT ON COLUMN attention_types.weight_kind IS 'RESULT: D: a distribution, D0: one with exact zeros, S: signed or unnormalised';
COMMENT ON COLUMN attention_types.scope IS 'RESULT: what a logit depends on: P one pair, SET all rows, GRAPH edges, BATCH all queries';
COMMENT ON COLUMN attention_types.available IS 'RESULT: whether it can be used here';
COMMENT ON COLUMN attention_types.reason IS 'RESULT: why it cannot be used here, NULL where it can';
COMMENT ON COLUMN attention_types.reference IS 'RESULT: paper';
GRANT SELECT ON attention_types TO PUBLIC;

CREATE FOREIGN TABLE attention_score (
    score real,
    logit real,
    query attention_vector,
    key attention_vector,
    attention_type text,
    num_heads integer,
    temperature double precision,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'attention_score');
COMMENT ON FOREIGN TABLE attention_score IS 'The attention logit of one query and one key.';
COMMENT ON COLUMN attention_score.score IS 'RESULT: logit of the pair, since a softmax over one key would always be 1';
COMMENT ON COLUMN attention_score.logit IS 'RESULT: the same value';
COMMENT ON COLUMN attention_score.query IS 'PARAMETER (required): vector that asks';
COMMENT ON COLUMN attention_score.key IS 'PARAMETER (required): vector that answers, as long as the query';
COMMENT ON COLUMN attention_score.attention_type IS 'PARAMETER (default scaled_dot): mechanism: a name or alias out of attention_types';
COMMENT ON COLUMN attention_score.num_heads IS 'PARAMETER (default 1): number of slices of the vectors, a divisor of their dimensions';
COMMENT ON COLUMN attention_score.temperature IS 'PARAMETER (default: the mechanism''s own, mostly 1): divides the logits: below 1 sharpens the scores, above 1 flattens them';
COMMENT ON COLUMN attention_score.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them';
GRANT SELECT ON attention_score TO PUBLIC;

CREATE FOREIGN TABLE mha_search (
    id bigint,
    score real,
    logit real,
    rank bigint,
    head_scores real[],
    lse double precision[],
    table_name text,
    query attention_vector,
    query_id bigint,
    id_column text,
    vector_column text,
    queries real[],
    order_column text,
    position double precision,
    num_heads integer,
    k integer,
    temperature double precision,
    attention_type text,
    candidates bigint[],
    normaliser double precision[],
    model text,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'mha_search');
COMMENT ON FOREIGN TABLE mha_search IS 'The rows of a relation by their attention weight for one query, over several heads.';
COMMENT ON COLUMN mha_search.id IS 'RESULT: id of the row';
COMMENT ON COLUMN mha_search.score IS 'RESULT: attention weight, normalised over all keys; the mean over the heads';
COMMENT ON COLUMN mha_search.logit IS 'RESULT: value before normalisation, the mean over the heads';
COMMENT ON COLUMN mha_search.rank IS 'RESULT: place in the answer, from 1';
COMMENT ON COLUMN mha_search.head_scores IS 'RESULT: attention weight in each head';
COMMENT ON COLUMN mha_search.lse IS 'RESULT: log-sum-exp of the logits over all keys, one value for each head';
COMMENT ON COLUMN mha_search.table_name IS 'PARAMETER (required): relation that holds the keys; its name resolves as in SQL';
COMMENT ON COLUMN mha_search.query IS 'PARAMETER (one of query, query_id, queries): vector to search for';
COMMENT ON COLUMN mha_search.query_id IS 'PARAMETER (one of query, query_id, queries): id of the row whose vector is the query';
COMMENT ON COLUMN mha_search.id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids';
COMMENT ON COLUMN mha_search.vector_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors: real[], double precision[], vector or halfvec';
COMMENT ON COLUMN mha_search.queries IS 'PARAMETER (one of query, query_id, queries): several query vectors, one in each row, for max_sim';
COMMENT ON COLUMN mha_search.order_column IS 'PARAMETER (optional): column that orders the keys: numbers, dates or timestamps; for mechanisms that know an order';
COMMENT ON COLUMN mha_search.position IS 'PARAMETER (default: where the newest key stands, or the row that the query is): where the query stands in that order, for timestamps in seconds since 1970';
COMMENT ON COLUMN mha_search.num_heads IS 'PARAMETER (default: 8 for the multi-head family, else 1): number of slices of the vectors, a divisor of their dimensions';
COMMENT ON COLUMN mha_search.k IS 'PARAMETER (default: every row): number of rows wanted';
COMMENT ON COLUMN mha_search.temperature IS 'PARAMETER (default: the mechanism''s own, mostly 1): divides the logits: below 1 sharpens the scores, above 1 flattens them';
COMMENT ON COLUMN mha_search.attention_type IS 'PARAMETER (default multi_head): mechanism: a name or alias out of attention_types';
COMMENT ON COLUMN mha_search.candidates IS 'PARAMETER (optional): ids that may be keys; all others are left out before normalisation';
COMMENT ON COLUMN mha_search.normaliser IS 'PARAMETER (optional): replaces lse, one value for each head: scores are then those of a larger whole';
COMMENT ON COLUMN mha_search.model IS 'PARAMETER (optional): name of a weight set; without it projections are the identity';
COMMENT ON COLUMN mha_search.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them';
GRANT SELECT ON mha_search TO PUBLIC;

CREATE FOREIGN TABLE attention (
    query_id bigint,
    output real[],
    entropy real,
    lse double precision[],
    query attention_vector,
    query_table text,
    table_name text,
    query_column text,
    query_id_column text,
    id_column text,
    vector_column text,
    value_column text,
    order_column text,
    position double precision,
    attention_type text,
    num_heads integer,
    temperature double precision,
    candidates bigint[],
    model text,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'attention');
COMMENT ON FOREIGN TABLE attention IS 'The output of attention over the rows of a relation, for one query or for every row of another.';
COMMENT ON COLUMN attention.query_id IS 'RESULT: id of the row that asks, NULL for a query given as a vector';
COMMENT ON COLUMN attention.output IS 'RESULT: the values summed by attention weight, head by head';
COMMENT ON COLUMN attention.entropy IS 'RESULT: entropy of the weights in nats, the mean over the heads';
COMMENT ON COLUMN attention.lse IS 'RESULT: log-sum-exp of the logits over all keys, one for each head';
COMMENT ON COLUMN attention.query IS 'PARAMETER (one of query, query_table): vector that asks';
COMMENT ON COLUMN attention.query_table IS 'PARAMETER (one of query, query_table): relation whose every row asks';
COMMENT ON COLUMN attention.table_name IS 'PARAMETER (required): relation that holds the keys; its name resolves as in SQL';
COMMENT ON COLUMN attention.query_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors of query_table';
COMMENT ON COLUMN attention.query_id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids of query_table';
COMMENT ON COLUMN attention.id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids';
COMMENT ON COLUMN attention.vector_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors: real[], double precision[], vector or halfvec';
COMMENT ON COLUMN attention.value_column IS 'PARAMETER (default: the keys themselves): column of the values: vectors, or numbers as vectors of one dimension';
COMMENT ON COLUMN attention.order_column IS 'PARAMETER (optional): column that orders the keys: numbers, dates or timestamps; for mechanisms that know an order';
COMMENT ON COLUMN attention.position IS 'PARAMETER (default: where the newest key stands, or the row that the query is): where the query stands in that order, for timestamps in seconds since 1970';
COMMENT ON COLUMN attention.attention_type IS 'PARAMETER (default scaled_dot): mechanism: a name or alias out of attention_types';
COMMENT ON COLUMN attention.num_heads IS 'PARAMETER (default 1): number of slices of the vectors, a divisor of their dimensions';
COMMENT ON COLUMN attention.temperature IS 'PARAMETER (default: the mechanism''s own, mostly 1): divides the logits: below 1 sharpens the scores, above 1 flattens them';
COMMENT ON COLUMN attention.candidates IS 'PARAMETER (optional): ids that may be keys; all others are left out before normalisation';
COMMENT ON COLUMN attention.model IS 'PARAMETER (optional): name of a weight set; without it projections are the identity';
COMMENT ON COLUMN attention.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them';
GRANT SELECT ON attention TO PUBLIC;

CREATE FOREIGN TABLE cross_attention (
    query_id bigint,
    doc_id bigint,
    score real,
    logit real,
    rank bigint,
    lse double precision[],
    query_table text,
    document_table text,
    query_column text,
    document_column text,
    query_id_column text,
    document_id_column text,
    attention_type text,
    num_heads integer,
    k integer,
    temperature double precision,
    normaliser double precision[],
    model text,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'cross_attention');
COMMENT ON FOREIGN TABLE cross_attention IS 'The rows of one relation by their attention weight for each row of another.';
COMMENT ON COLUMN cross_attention.query_id IS 'RESULT: id of the row that asks';
COMMENT ON COLUMN cross_attention.doc_id IS 'RESULT: id of the row that answers';
COMMENT ON COLUMN cross_attention.score IS 'RESULT: attention weight, normalised over all documents; the mean over the heads';
COMMENT ON COLUMN cross_attention.logit IS 'RESULT: value before normalisation, the mean over the heads';
COMMENT ON COLUMN cross_attention.rank IS 'RESULT: place in the answer to this query, from 1';
COMMENT ON COLUMN cross_attention.lse IS 'RESULT: log-sum-exp of this query''s logits, one value for each head';
COMMENT ON COLUMN cross_attention.query_table IS 'PARAMETER (required): relation whose every row asks';
COMMENT ON COLUMN cross_attention.document_table IS 'PARAMETER (required): relation whose rows answer';
COMMENT ON COLUMN cross_attention.query_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors of query_table';
COMMENT ON COLUMN cross_attention.document_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors of document_table';
COMMENT ON COLUMN cross_attention.query_id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids of query_table';
COMMENT ON COLUMN cross_attention.document_id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids of document_table';
COMMENT ON COLUMN cross_attention.attention_type IS 'PARAMETER (default scaled_dot): mechanism: a name or alias out of attention_types';
COMMENT ON COLUMN cross_attention.num_heads IS 'PARAMETER (default 1): number of slices of the vectors, a divisor of their dimensions';
COMMENT ON COLUMN cross_attention.k IS 'PARAMETER (default: every row): number of rows wanted for each query';
COMMENT ON COLUMN cross_attention.temperature IS 'PARAMETER (default: the mechanism''s own, mostly 1): divides the logits: below 1 sharpens the scores, above 1 flattens them';
COMMENT ON COLUMN cross_attention.normaliser IS 'PARAMETER (optional): replaces lse, a value for each head of each query, query after query by id';
COMMENT ON COLUMN cross_attention.model IS 'PARAMETER (optional): name of a weight set; without it projections are the identity';
COMMENT ON COLUMN cross_attention.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them';
GRANT SELECT ON cross_attention TO PUBLIC;

CREATE FOREIGN TABLE sliding_attention (
    window_index integer,
    window_start integer,
    window_end integer,
    position integer,
    id bigint,
    output real[],
    embeddings real[],
    table_name text,
    order_column text,
    vector_column text,
    id_column text,
    window_size integer,
    stride integer,
    num_heads integer,
    attention_type text,
    temperature double precision,
    model text,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'sliding_attention');
COMMENT ON FOREIGN TABLE sliding_attention IS 'Attention within windows that slide over a sequence, a row for each window and position.';
COMMENT ON COLUMN sliding_attention.window_index IS 'RESULT: number of the window, from 0';
COMMENT ON COLUMN sliding_attention.window_start IS 'RESULT: first position of the window, from 1';
COMMENT ON COLUMN sliding_attention.window_end IS 'RESULT: last position of the window';
COMMENT ON COLUMN sliding_attention.position IS 'RESULT: position of this row in the sequence, from 1';
COMMENT ON COLUMN sliding_attention.id IS 'RESULT: id of the row at this position, NULL for an array';
COMMENT ON COLUMN sliding_attention.output IS 'RESULT: the window''s vectors summed by attention weight for this one';
COMMENT ON COLUMN sliding_attention.embeddings IS 'PARAMETER (one of embeddings, table_name): the sequence: a two-dimensional array, a vector in each row';
COMMENT ON COLUMN sliding_attention.table_name IS 'PARAMETER (one of embeddings, table_name): relation that holds the sequence, with order_column';
COMMENT ON COLUMN sliding_attention.order_column IS 'PARAMETER (optional): column that orders the rows: numbers, dates or timestamps';
COMMENT ON COLUMN sliding_attention.vector_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors: real[], double precision[], vector or halfvec';
COMMENT ON COLUMN sliding_attention.id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids';
COMMENT ON COLUMN sliding_attention.window_size IS 'PARAMETER (default 256): positions in a window';
COMMENT ON COLUMN sliding_attention.stride IS 'PARAMETER (default 128): positions from one window to the next, at most window_size';
COMMENT ON COLUMN sliding_attention.num_heads IS 'PARAMETER (default 1): number of slices of the vectors, a divisor of their dimensions';
COMMENT ON COLUMN sliding_attention.attention_type IS 'PARAMETER (default scaled_dot): mechanism: a name or alias out of attention_types';
COMMENT ON COLUMN sliding_attention.temperature IS 'PARAMETER (default: the mechanism''s own, mostly 1): divides the logits: below 1 sharpens the scores, above 1 flattens them';
COMMENT ON COLUMN sliding_attention.model IS 'PARAMETER (optional): name of a weight set; without it projections are the identity';
COMMENT ON COLUMN sliding_attention.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them';
GRANT SELECT ON sliding_attention TO PUBLIC;

CREATE FOREIGN TABLE gat_search (
    node_id bigint,
    attention_score real,
    logit real,
    rank bigint,
    hop integer,
    head_scores real[],
    node_table text,
    edge_table text,
    query_node_id bigint,
    node_id_column text,
    feature_column text,
    source_column text,
    target_column text,
    num_heads integer,
    k integer,
    temperature double precision,
    attention_type text,
    hops integer,
    direction text,
    self_loops boolean,
    model text,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'gat_search');
COMMENT ON FOREIGN TABLE gat_search IS 'The nodes around one node of a graph, by the attention that it pays to them.';
COMMENT ON COLUMN gat_search.node_id IS 'RESULT: id of the node';
COMMENT ON COLUMN gat_search.attention_score IS 'RESULT: attention weight, normalised over the neighbours; the product along the best path';
COMMENT ON COLUMN gat_search.logit IS 'RESULT: value before normalisation, the mean over the heads; summed along the path';
COMMENT ON COLUMN gat_search.rank IS 'RESULT: place in the answer, from 1';
COMMENT ON COLUMN gat_search.hop IS 'RESULT: hops to the node on the shortest way, 0 for the query node itself';
COMMENT ON COLUMN gat_search.head_scores IS 'RESULT: attention weight in each head, the product along the path';
COMMENT ON COLUMN gat_search.node_table IS 'PARAMETER (required): relation that holds the nodes with their features';
COMMENT ON COLUMN gat_search.edge_table IS 'PARAMETER (required): relation that holds the edges, from source to target';
COMMENT ON COLUMN gat_search.query_node_id IS 'PARAMETER (required): id of the node to start from';
COMMENT ON COLUMN gat_search.node_id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the nodes'' ids';
COMMENT ON COLUMN gat_search.feature_column IS 'PARAMETER (default: the only one of a vector type): column of the features: real[], double precision[], vector or halfvec';
COMMENT ON COLUMN gat_search.source_column IS 'PARAMETER (default: source, src or from_id): column with the id where an edge starts';
COMMENT ON COLUMN gat_search.target_column IS 'PARAMETER (default: target, dst or to_id): column with the id where an edge ends';
COMMENT ON COLUMN gat_search.num_heads IS 'PARAMETER (default: 4, or 1 for mechanisms without heads): number of nearly equal slices of the features, each a head of its own';
COMMENT ON COLUMN gat_search.k IS 'PARAMETER (default: every row): number of nodes wanted';
COMMENT ON COLUMN gat_search.temperature IS 'PARAMETER (default: the mechanism''s own, mostly 1): divides the logits: below 1 sharpens the scores, above 1 flattens them';
COMMENT ON COLUMN gat_search.attention_type IS 'PARAMETER (default gatv2): mechanism: a name or alias out of attention_types';
COMMENT ON COLUMN gat_search.hops IS 'PARAMETER (default 1): longest path to a node';
COMMENT ON COLUMN gat_search.direction IS 'PARAMETER (default both): how edges are followed: out to their target, in to their source, or both';
COMMENT ON COLUMN gat_search.self_loops IS 'PARAMETER (default True): whether each node is a neighbour of itself, the query node too';
COMMENT ON COLUMN gat_search.model IS 'PARAMETER (optional): name of a weight set; without it projections are the identity';
COMMENT ON COLUMN gat_search.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them';
GRANT SELECT ON gat_search TO PUBLIC;

CREATE FOREIGN TABLE moe_route (
    id bigint,
    expert integer,
    weight real,
    rank integer,
    embedding attention_vector,
    table_name text,
    id_column text,
    vector_column text,
    num_experts integer,
    top_k integer,
    model text,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'moe_route');
COMMENT ON FOREIGN TABLE moe_route IS 'The experts that a gate sends a vector, or each row of a relation, to.';
COMMENT ON COLUMN moe_route.id IS 'RESULT: id of the row, NULL for a vector given as embedding';
COMMENT ON COLUMN moe_route.expert IS 'RESULT: number of the expert, from 0';
COMMENT ON COLUMN moe_route.weight IS 'RESULT: weight of the expert: a softmax over the experts chosen for the row';
COMMENT ON COLUMN moe_route.rank IS 'RESULT: place of the expert among those of the row, from 1';
COMMENT ON COLUMN moe_route.embedding IS 'PARAMETER (one of embedding, table_name): vector to route';
COMMENT ON COLUMN moe_route.table_name IS 'PARAMETER (one of embedding, table_name): relation whose rows are to be routed';
COMMENT ON COLUMN moe_route.id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids';
COMMENT ON COLUMN moe_route.vector_column IS 'PARAMETER (default: the only one of a vector type): column of the vectors: real[], double precision[], vector or halfvec';
COMMENT ON COLUMN moe_route.num_experts IS 'PARAMETER (default 8): number of experts';
COMMENT ON COLUMN moe_route.top_k IS 'PARAMETER (default 2): number of experts for each vector';
COMMENT ON COLUMN moe_route.model IS 'PARAMETER (optional): name of a weight set; without it projections are the identity';
COMMENT ON COLUMN moe_route.options IS 'PARAMETER (optional): the gate: {"gate": "seeded"} or {"gate": "kmeans"}, and its seed';
GRANT SELECT ON moe_route TO PUBLIC;

CREATE FOREIGN TABLE attention_indexes (
    index regclass,
    relation regclass,
    vector_column text,
    attention_type text,
    num_heads integer,
    head_dim integer,
    dtype text,
    rows bigint,
    dim integer,
    bytes bigint,
    built_at timestamptz,
    checked_at timestamptz,
    hits bigint,
    state text
)
SERVER ruattn OPTIONS (operation 'attention_indexes');
COMMENT ON FOREIGN TABLE attention_indexes IS 'Every attention index on a table that you may read, and the copy of its vectors.';
COMMENT ON COLUMN attention_indexes.index IS 'RESULT: the index';
COMMENT ON COLUMN attention_indexes.relation IS 'RESULT: its table';
COMMENT ON COLUMN attention_indexes.vector_column IS 'RESULT: the column of the vectors';
COMMENT ON COLUMN attention_indexes.attention_type IS 'RESULT: mechanism that it declares, NULL for none';
COMMENT ON COLUMN attention_indexes.num_heads IS 'RESULT: number of heads that it declares, NULL for none';
COMMENT ON COLUMN attention_indexes.head_dim IS 'RESULT: size of a head that it declares, NULL for none';
COMMENT ON COLUMN attention_indexes.dtype IS 'RESULT: type of the numbers in the copy';
COMMENT ON COLUMN attention_indexes.rows IS 'RESULT: vectors in the copy, also of rows that are gone; NULL while it is cold';
COMMENT ON COLUMN attention_indexes.dim IS 'RESULT: dimensions of the vectors in the copy';
COMMENT ON COLUMN attention_indexes.bytes IS 'RESULT: size of the copy''s file';
COMMENT ON COLUMN attention_indexes.built_at IS 'RESULT: when the copy was built';
COMMENT ON COLUMN attention_indexes.checked_at IS 'RESULT: when a search last used it';
COMMENT ON COLUMN attention_indexes.hits IS 'RESULT: searches of this session that found it warm';
COMMENT ON COLUMN attention_indexes.state IS 'RESULT: warm, cold, invalid (it proves nothing) or partitioned (see its parts)';
GRANT SELECT ON attention_indexes TO PUBLIC;

CREATE FUNCTION ruvector_attention_score(query attention_vector, key attention_vector, attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(attention_vector, attention_vector, text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query real[], key real[], attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(real[], real[], text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query double precision[], key double precision[], attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(double precision[], double precision[], text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query numeric[], key numeric[], attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(numeric[], numeric[], text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query integer[], key integer[], attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(integer[], integer[], text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query bigint[], key bigint[], attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(bigint[], bigint[], text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query smallint[], key smallint[], attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(smallint[], smallint[], text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query text, key text, attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(text, text, text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';

CREATE FUNCTION ruvector_mha_search(table_name text, query attention_vector, num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, attention_vector, integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query real[], num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, real[], integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query double precision[], num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, double precision[], integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query numeric[], num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, numeric[], integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query integer[], num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, integer[], integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query bigint[], num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, bigint[], integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query smallint[], num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, smallint[], integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query text, num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, text, integer, integer) IS 'The rows of a relation by their attention weight for one query.';

CREATE FUNCTION ruvector_cross_attention(query_table text, query_column text, document_table text, document_column text, attention_type text DEFAULT 'scaled_dot', query_id_column text DEFAULT NULL, document_id_column text DEFAULT NULL) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 10000;
COMMENT ON FUNCTION ruvector_cross_attention(text, text, text, text, text, text, text) IS 'Attention weights of all rows of one relation for each row of another: query id, document id, score. Call it with a column list, for example AS (query_id int, doc_id int, score float).';

CREATE FUNCTION ruvector_sliding_attention(embeddings "any", window_size integer DEFAULT 256, stride integer DEFAULT 128) RETURNS TABLE (window_index integer, window_start integer, window_end integer, "position" integer, output real[])
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 1000;
COMMENT ON FUNCTION ruvector_sliding_attention("any", integer, integer) IS 'Attention within windows that slide over a two-dimensional array.';
CREATE FUNCTION ruvector_sliding_attention(embeddings text, window_size integer DEFAULT 256, stride integer DEFAULT 128) RETURNS TABLE (window_index integer, window_start integer, window_end integer, "position" integer, output real[])
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 1000;
COMMENT ON FUNCTION ruvector_sliding_attention(text, integer, integer) IS 'Attention within windows that slide over a two-dimensional array.';

CREATE FUNCTION ruvector_softmax(logits "any") RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_softmax("any") IS 'The softmax of an array of numbers.';
CREATE FUNCTION ruvector_softmax(logits text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_softmax(text) IS 'The softmax of an array of numbers.';

CREATE FUNCTION ruvector_attention_scores(query "any", keys "any", attention_type text DEFAULT 'scaled_dot') RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_attention_scores("any", "any", text) IS 'The attention weights of keys for a query, in the order of the keys.';
CREATE FUNCTION ruvector_attention_scores(query text, keys text, attention_type text DEFAULT 'scaled_dot') RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_attention_scores(text, text, text) IS 'The attention weights of keys for a query, in the order of the keys.';

CREATE FUNCTION ruvector_multi_head_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 8, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_multi_head_attention("any", "any", "any", integer, double precision) IS 'The output of multi_head attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_multi_head_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 8, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_multi_head_attention(text, text, text, integer, double precision) IS 'The output of multi_head attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_flash_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "block_size_q" integer DEFAULT 64, "block_size_kv" integer DEFAULT 64, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_flash_attention("any", "any", "any", integer, integer, integer, double precision) IS 'The output of flash_v2 attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_flash_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "block_size_q" integer DEFAULT 64, "block_size_kv" integer DEFAULT 64, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_flash_attention(text, text, text, integer, integer, integer, double precision) IS 'The output of flash_v2 attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_linear_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "causal" boolean DEFAULT false) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_linear_attention("any", "any", "any", integer, boolean) IS 'The output of linear attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_linear_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "causal" boolean DEFAULT false) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_linear_attention(text, text, text, integer, boolean) IS 'The output of linear attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_sliding_window_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "window_size" integer DEFAULT 256, "causal" boolean DEFAULT true, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_sliding_window_attention("any", "any", "any", integer, integer, boolean, double precision) IS 'The output of sliding_window attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_sliding_window_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "window_size" integer DEFAULT 256, "causal" boolean DEFAULT true, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_sliding_window_attention(text, text, text, integer, integer, boolean, double precision) IS 'The output of sliding_window attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_cross_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_cross_attention("any", "any", "any", integer, double precision) IS 'The output of cross attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_cross_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_cross_attention(text, text, text, integer, double precision) IS 'The output of cross attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_sparse_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "pattern" text DEFAULT 'strided', "stride" integer DEFAULT NULL, "summary" integer DEFAULT 1, "window" integer DEFAULT 256, "global_tokens" integer DEFAULT 1, "random_tokens" integer DEFAULT 64, "seed" integer DEFAULT 0, "causal" boolean DEFAULT true, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_sparse_attention("any", "any", "any", integer, text, integer, integer, integer, integer, integer, integer, boolean, double precision) IS 'The output of sparse attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_sparse_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "pattern" text DEFAULT 'strided', "stride" integer DEFAULT NULL, "summary" integer DEFAULT 1, "window" integer DEFAULT 256, "global_tokens" integer DEFAULT 1, "random_tokens" integer DEFAULT 64, "seed" integer DEFAULT 0, "causal" boolean DEFAULT true, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_sparse_attention(text, text, text, integer, text, integer, integer, integer, integer, integer, integer, boolean, double precision) IS 'The output of sparse attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_moe_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "num_experts" integer DEFAULT 8, "top_k" integer DEFAULT 2, "seed" integer DEFAULT 0, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_moe_attention("any", "any", "any", integer, integer, integer, integer, double precision) IS 'The output of moe attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_moe_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "num_experts" integer DEFAULT 8, "top_k" integer DEFAULT 2, "seed" integer DEFAULT 0, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_moe_attention(text, text, text, integer, integer, integer, integer, double precision) IS 'The output of moe attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_hyperbolic_attention(query "any", keys "any", "values" "any", "num_heads" integer DEFAULT 1, "curvature" double precision DEFAULT 1.0, "beta" double precision DEFAULT 1.0, "bias" double precision DEFAULT 0.0, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_hyperbolic_attention("any", "any", "any", integer, double precision, double precision, double precision, double precision) IS 'The output of hyperbolic attention: values summed by the weights of their keys.';
CREATE FUNCTION ruvector_hyperbolic_attention(query text, keys text, "values" text, "num_heads" integer DEFAULT 1, "curvature" double precision DEFAULT 1.0, "beta" double precision DEFAULT 1.0, "bias" double precision DEFAULT 0.0, "temperature" double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ruvector_hyperbolic_attention(text, text, text, integer, double precision, double precision, double precision, double precision) IS 'The output of hyperbolic attention: values summed by the weights of their keys.';

CREATE FUNCTION ruvector_gat_search(node_table text, edge_table text, query_node_id bigint, num_heads integer DEFAULT 4, k integer DEFAULT 10) RETURNS TABLE (node_id bigint, attention_score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_gat_search(text, text, bigint, integer, integer) IS 'The neighbours of a node by the attention that it pays to them: gat_search without the node.';

CREATE FUNCTION ruvector_moe_route(embedding attention_vector, num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(attention_vector, integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding real[], num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(real[], integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding double precision[], num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(double precision[], integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding numeric[], num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(numeric[], integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding integer[], num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(integer[], integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding bigint[], num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(bigint[], integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding smallint[], num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(smallint[], integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding text, num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(text, integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';

CREATE FUNCTION ruvector_hyperbolic_distance(a attention_vector, b attention_vector, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(attention_vector, attention_vector, double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a real[], b real[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(real[], real[], double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a double precision[], b double precision[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(double precision[], double precision[], double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a numeric[], b numeric[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(numeric[], numeric[], double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a integer[], b integer[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(integer[], integer[], double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a bigint[], b bigint[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(bigint[], bigint[], double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a smallint[], b smallint[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(smallint[], smallint[], double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a text, b text, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(text, text, double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';

CREATE FUNCTION ruvector_poincare_distance(a attention_vector, b attention_vector, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(attention_vector, attention_vector, double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a real[], b real[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(real[], real[], double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a double precision[], b double precision[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(double precision[], double precision[], double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a numeric[], b numeric[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(numeric[], numeric[], double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a integer[], b integer[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(integer[], integer[], double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a bigint[], b bigint[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(bigint[], bigint[], double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a smallint[], b smallint[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(smallint[], smallint[], double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a text, b text, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(text, text, double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';

CREATE FUNCTION ruvector_lorentz_distance(a attention_vector, b attention_vector, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(attention_vector, attention_vector, double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a real[], b real[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(real[], real[], double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a double precision[], b double precision[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(double precision[], double precision[], double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a numeric[], b numeric[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(numeric[], numeric[], double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a integer[], b integer[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(integer[], integer[], double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a bigint[], b bigint[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(bigint[], bigint[], double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a smallint[], b smallint[], curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(smallint[], smallint[], double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a text, b text, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(text, text, double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';

CREATE FUNCTION ruvector_mobius_add(a attention_vector, b attention_vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(attention_vector, attention_vector, double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a real[], b real[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(real[], real[], double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a double precision[], b double precision[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(double precision[], double precision[], double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a numeric[], b numeric[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(numeric[], numeric[], double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a integer[], b integer[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(integer[], integer[], double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a bigint[], b bigint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(bigint[], bigint[], double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a smallint[], b smallint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(smallint[], smallint[], double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a text, b text, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(text, text, double precision) IS 'The Mobius sum of two points of the Poincare ball.';

CREATE FUNCTION ruvector_exp_map(base attention_vector, tangent attention_vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(attention_vector, attention_vector, double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base real[], tangent real[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(real[], real[], double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base double precision[], tangent double precision[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(double precision[], double precision[], double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base numeric[], tangent numeric[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(numeric[], numeric[], double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base integer[], tangent integer[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(integer[], integer[], double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base bigint[], tangent bigint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(bigint[], bigint[], double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base smallint[], tangent smallint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(smallint[], smallint[], double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base text, tangent text, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(text, text, double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';

CREATE FUNCTION ruvector_log_map(base attention_vector, point attention_vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(attention_vector, attention_vector, double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base real[], point real[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(real[], real[], double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base double precision[], point double precision[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(double precision[], double precision[], double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base numeric[], point numeric[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(numeric[], numeric[], double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base integer[], point integer[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(integer[], integer[], double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base bigint[], point bigint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(bigint[], bigint[], double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base smallint[], point smallint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(smallint[], smallint[], double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base text, point text, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(text, text, double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';

CREATE FUNCTION ruvector_poincare_to_lorentz(point attention_vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(attention_vector, double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point real[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(real[], double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point double precision[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(double precision[], double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point numeric[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(numeric[], double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point integer[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(integer[], double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point bigint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(bigint[], double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point smallint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(smallint[], double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point text, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(text, double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';

CREATE FUNCTION ruvector_lorentz_to_poincare(point attention_vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(attention_vector, double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point real[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(real[], double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point double precision[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(double precision[], double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point numeric[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(numeric[], double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point integer[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(integer[], double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point bigint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(bigint[], double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point smallint[], curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(smallint[], double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point text, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(text, double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';

CREATE FUNCTION ruvector_minkowski_dot(a attention_vector, b attention_vector) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(attention_vector, attention_vector) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a real[], b real[]) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(real[], real[]) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a double precision[], b double precision[]) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(double precision[], double precision[]) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a numeric[], b numeric[]) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(numeric[], numeric[]) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a integer[], b integer[]) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(integer[], integer[]) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a bigint[], b bigint[]) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(bigint[], bigint[]) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a smallint[], b smallint[]) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(smallint[], smallint[]) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a text, b text) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(text, text) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';

CREATE FUNCTION ruvector_attention_types() RETURNS TABLE (name text, aliases text[], family text, feature text, complexity text, memory text, best_for text, formula text, parameters jsonb, operations text[], weight_kind text, scope text, available boolean, reason text, reference text)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 43;
COMMENT ON FUNCTION ruvector_attention_types() IS 'The rows of the table attention_types.';

CREATE FUNCTION ruattn_diag() RETURNS TABLE (item text, value text, ok boolean, advice text)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 11;
COMMENT ON FUNCTION ruattn_diag() IS 'Versions, interpreter and settings of this installation, with what mends them if need be.';
