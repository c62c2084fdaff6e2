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
