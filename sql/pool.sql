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
