-- pgvector's types as values of attention_vector parameters.

CREATE FUNCTION attention_vector_from_vector(vector) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_vector(vector) IS 'cast of vector to attention_vector';
CREATE CAST (vector AS attention_vector) WITH FUNCTION attention_vector_from_vector(vector) AS ASSIGNMENT;
COMMENT ON CAST (vector AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_eq(attention_vector, vector) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_eq_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, vector) IS 'implementation of =';
CREATE FUNCTION attention_vector_eq(vector, attention_vector) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_vector_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(vector, attention_vector) IS 'implementation of =';

CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, vector) IS 'equal once both are attention_vector';
CREATE OPERATOR = (
    LEFTARG = vector, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (vector, attention_vector) IS 'equal once both are attention_vector';

CREATE FUNCTION attention_vector_from_halfvec(halfvec) RETURNS attention_vector
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_from_halfvec(halfvec) IS 'cast of halfvec to attention_vector';
CREATE CAST (halfvec AS attention_vector) WITH FUNCTION attention_vector_from_halfvec(halfvec) AS ASSIGNMENT;
COMMENT ON CAST (halfvec AS attention_vector) IS 'on assignment: WHERE parameter = value';

CREATE FUNCTION attention_vector_eq(attention_vector, halfvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_eq_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(attention_vector, halfvec) IS 'implementation of =';
CREATE FUNCTION attention_vector_eq(halfvec, attention_vector) RETURNS boolean
    AS 'MODULE_PATHNAME', 'attention_vector_halfvec_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION attention_vector_eq(halfvec, attention_vector) IS 'implementation of =';

CREATE OPERATOR = (
    LEFTARG = attention_vector, RIGHTARG = halfvec, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (attention_vector, halfvec) IS 'equal once both are attention_vector';
CREATE OPERATOR = (
    LEFTARG = halfvec, RIGHTARG = attention_vector, FUNCTION = attention_vector_eq,
    COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR = (halfvec, attention_vector) IS 'equal once both are attention_vector';

-- Attention indexes on pgvector's types.

CREATE OPERATOR CLASS ruvector_vector_ops DEFAULT FOR TYPE vector USING ruvector_attention AS STORAGE vector;
COMMENT ON OPERATOR FAMILY ruvector_vector_ops USING ruvector_attention IS 'attention over vector';
COMMENT ON OPERATOR CLASS ruvector_vector_ops USING ruvector_attention IS 'attention over vector';

CREATE OPERATOR CLASS ruvector_halfvec_ops DEFAULT FOR TYPE halfvec USING ruvector_attention AS STORAGE halfvec;
COMMENT ON OPERATOR FAMILY ruvector_halfvec_ops USING ruvector_attention IS 'attention over halfvec';
COMMENT ON OPERATOR CLASS ruvector_halfvec_ops USING ruvector_attention IS 'attention over halfvec';

-- attention_pool over pgvector's types.

CREATE FUNCTION attention_pool_step(internal, vector, vector) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step(internal, vector, vector) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(vector, vector) (
    SFUNC = attention_pool_step, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(vector, vector) IS
    'attention output over the rows of a group: query, key';

CREATE FUNCTION attention_pool_step(internal, vector, vector, text) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step(internal, vector, vector, text) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(vector, vector, text) (
    SFUNC = attention_pool_step, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(vector, vector, text) IS
    'attention output over the rows of a group: query, key, attention_type';

CREATE FUNCTION attention_pool_step_value(internal, vector, vector, vector) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step_value(internal, vector, vector, vector) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(vector, vector, vector) (
    SFUNC = attention_pool_step_value, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(vector, vector, vector) IS
    'attention output over the rows of a group: query, key, value';

CREATE FUNCTION attention_pool_step_value(internal, vector, vector, vector, text) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step_value(internal, vector, vector, vector, text) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(vector, vector, vector, text) (
    SFUNC = attention_pool_step_value, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(vector, vector, vector, text) IS
    'attention output over the rows of a group: query, key, value, attention_type';

CREATE FUNCTION attention_pool_step(internal, halfvec, halfvec) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step(internal, halfvec, halfvec) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(halfvec, halfvec) (
    SFUNC = attention_pool_step, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(halfvec, halfvec) IS
    'attention output over the rows of a group: query, key';

CREATE FUNCTION attention_pool_step(internal, halfvec, halfvec, text) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step(internal, halfvec, halfvec, text) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(halfvec, halfvec, text) (
    SFUNC = attention_pool_step, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(halfvec, halfvec, text) IS
    'attention output over the rows of a group: query, key, attention_type';

CREATE FUNCTION attention_pool_step_value(internal, halfvec, halfvec, halfvec) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step_value(internal, halfvec, halfvec, halfvec) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(halfvec, halfvec, halfvec) (
    SFUNC = attention_pool_step_value, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(halfvec, halfvec, halfvec) IS
    'attention output over the rows of a group: query, key, value';

CREATE FUNCTION attention_pool_step_value(internal, halfvec, halfvec, halfvec, text) RETURNS internal
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION attention_pool_step_value(internal, halfvec, halfvec, halfvec, text) IS 'transition function of attention_pool';
CREATE AGGREGATE attention_pool(halfvec, halfvec, halfvec, text) (
    SFUNC = attention_pool_step_value, STYPE = internal, SSPACE = 16384, FINALFUNC = attention_pool_final,
    COMBINEFUNC = attention_pool_combine, SERIALFUNC = attention_pool_serialize,
    DESERIALFUNC = attention_pool_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE attention_pool(halfvec, halfvec, halfvec, text) IS
    'attention output over the rows of a group: query, key, value, attention_type';
