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
