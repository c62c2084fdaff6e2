-- What stands under the tables on Multicorn2: the server, and a type for parameters that take arrays.

CREATE SERVER ruattn FOREIGN DATA WRAPPER multicorn OPTIONS (wrapper 'ruattn_fdw.multicorn.entry.AttentionFdw');
COMMENT ON SERVER ruattn IS 'this database; its foreign tables read over a connection made as the user mapping says';

-- Who reads is settled by the user mapping and its password, not by the server.
GRANT USAGE ON FOREIGN SERVER ruattn TO PUBLIC;

-- attention_vector: a text, since an array as a parameter ends the server in EXPLAIN. It is no string to the parser
-- (CATEGORY U), so that it never takes part in resolving an operator of the user's own array columns.

CREATE TYPE attention_vector;

CREATE FUNCTION attention_vector_in(cstring) RETURNS attention_vector
    AS 'textin' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_in(cstring) IS 'input of attention_vector';

CREATE FUNCTION attention_vector_out(attention_vector) RETURNS cstring
    AS 'textout' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_out(attention_vector) IS 'output of attention_vector';

CREATE FUNCTION attention_vector_recv(internal) RETURNS attention_vector
    AS 'textrecv' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_recv(internal) IS 'binary input of attention_vector';

CREATE FUNCTION attention_vector_send(attention_vector) RETURNS bytea
    AS 'textsend' LANGUAGE internal STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_send(attention_vector) IS 'binary output of attention_vector';

CREATE TYPE attention_vector (
    INPUT = attention_vector_in,
    OUTPUT = attention_vector_out,
    RECEIVE = attention_vector_recv,
    SEND = attention_vector_send,
    LIKE = text,
    CATEGORY = 'U'
);
COMMENT ON TYPE attention_vector IS 'array or jsonb given to an attention table as a parameter; takes every array type, and text in either notation';

-- Casts

CREATE CAST (attention_vector AS text) WITHOUT FUNCTION;
COMMENT ON CAST (attention_vector AS text) IS 'explicit: the text as it was given';
CREATE CAST (text AS attention_vector) WITHOUT FUNCTION;
COMMENT ON CAST (text AS attention_vector) IS 'explicit: [0.1, 0.2] or {0.1, 0.2}';
CREATE CAST (jsonb AS attention_vector) WITH INOUT;
COMMENT ON CAST (jsonb AS attention_vector) IS 'explicit: a JSON array of numbers';
CREATE CAST (real[] AS attention_vector) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (real[] AS attention_vector) IS 'on assignment: WHERE parameter = value';
CREATE CAST (double precision[] AS attention_vector) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (double precision[] AS attention_vector) IS 'on assignment: WHERE parameter = value';
CREATE CAST (numeric[] AS attention_vector) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (numeric[] AS attention_vector) IS 'on assignment: WHERE parameter = value';
CREATE CAST (integer[] AS attention_vector) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (integer[] AS attention_vector) IS 'on assignment: WHERE parameter = value';
CREATE CAST (bigint[] AS attention_vector) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (bigint[] AS attention_vector) IS 'on assignment: WHERE parameter = value';
CREATE CAST (smallint[] AS attention_vector) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (smallint[] AS attention_vector) IS 'on assignment: WHERE parameter = value';
CREATE CAST (attention_vector AS real[]) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (attention_vector AS real[]) IS 'on assignment';

-- The text of a value. Of an expression that it evaluates only at run time, Multicorn2 knows the type where that is a
-- column, a sub-select or an operator's result, and only text outlasts EXPLAIN. So what a parameter is compared with is
-- this operator of it. The setting makes digits exact, and keeps the function from being replaced by its body.

CREATE FUNCTION attention_vector_text(anyelement) RETURNS text
    AS 'SELECT $1::pg_catalog.text' LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET extra_float_digits = 1;
COMMENT ON FUNCTION attention_vector_text(anyelement) IS 'implementation of ~>';
CREATE OPERATOR ~> (RIGHTARG = anyelement, FUNCTION = attention_vector_text);
COMMENT ON OPERATOR ~> (NONE, anyelement) IS 'text of a value, for comparison with a parameter';

-- Operators. These functions are replaced by their bodies when a query is planned: so what the wrapper sees is a
-- comparison of texts.

CREATE FUNCTION attention_vector_eq(attention_vector, attention_vector) RETURNS boolean
    AS 'SELECT $1::pg_catalog.text OPERATOR(pg_catalog.=) (OPERATOR(@extschema@.~>) $2)'
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, attention_vector) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, attention_vector) IS 'equal, as text';

-- an order of some kind, so that DISTINCT and GROUP BY work

CREATE FUNCTION attention_vector_lt(attention_vector, attention_vector) RETURNS boolean
    AS 'bytealt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_lt(attention_vector, attention_vector) IS 'implementation of <';
CREATE OPERATOR < (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (attention_vector, attention_vector) IS 'less than, byte by byte';

CREATE FUNCTION attention_vector_le(attention_vector, attention_vector) RETURNS boolean
    AS 'byteale' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_le(attention_vector, attention_vector) IS 'implementation of <=';
CREATE OPERATOR <= (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (attention_vector, attention_vector) IS 'less than or equal, byte by byte';

CREATE FUNCTION attention_vector_ge(attention_vector, attention_vector) RETURNS boolean
    AS 'byteage' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_ge(attention_vector, attention_vector) IS 'implementation of >=';
CREATE OPERATOR >= (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (attention_vector, attention_vector) IS 'greater than or equal, byte by byte';

CREATE FUNCTION attention_vector_gt(attention_vector, attention_vector) RETURNS boolean
    AS 'byteagt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_gt(attention_vector, attention_vector) IS 'implementation of >';
CREATE OPERATOR > (
    LEFTARG = attention_vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (attention_vector, attention_vector) IS 'greater than, byte by byte';

CREATE FUNCTION attention_vector_cmp(attention_vector, attention_vector) RETURNS integer
    AS 'byteacmp' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_cmp(attention_vector, attention_vector) IS 'comparison for btree: -1, 0 or 1';
CREATE OPERATOR CLASS attention_vector_ops DEFAULT FOR TYPE attention_vector USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 attention_vector_cmp(attention_vector, attention_vector);
COMMENT ON OPERATOR FAMILY attention_vector_ops USING btree IS 'order of attention_vector';
COMMENT ON OPERATOR CLASS attention_vector_ops USING btree IS 'order of attention_vector: GROUP BY, DISTINCT';

CREATE FUNCTION attention_vector_eq(attention_vector, anyarray) RETURNS boolean
    AS 'SELECT $1::pg_catalog.text OPERATOR(pg_catalog.=) (OPERATOR(@extschema@.~>) $2)'
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, anyarray) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = anyarray, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, anyarray) IS 'equal, as text';

CREATE FUNCTION attention_vector_eq(anyarray, attention_vector) RETURNS boolean
    AS 'SELECT $2::pg_catalog.text OPERATOR(pg_catalog.=) (OPERATOR(@extschema@.~>) $1)'
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(anyarray, attention_vector) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = anyarray, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (anyarray, attention_vector) IS 'equal, as text';

CREATE FUNCTION attention_vector_eq(attention_vector, jsonb) RETURNS boolean
    AS 'SELECT $1::pg_catalog.text OPERATOR(pg_catalog.=) (OPERATOR(@extschema@.~>) $2)'
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, jsonb) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = jsonb, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, jsonb) IS 'equal, as text';

CREATE FUNCTION attention_vector_eq(jsonb, attention_vector) RETURNS boolean
    AS 'SELECT $2::pg_catalog.text OPERATOR(pg_catalog.=) (OPERATOR(@extschema@.~>) $1)'
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(jsonb, attention_vector) IS 'implementation of =';
CREATE OPERATOR = (
    LEFTARG = jsonb, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (jsonb, attention_vector) IS 'equal, as text';
