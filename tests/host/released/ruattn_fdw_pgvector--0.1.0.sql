-- complain if the script is sourced in psql rather than run by CREATE EXTENSION
\echo Use "CREATE EXTENSION ruattn_fdw_pgvector" to load this file. \quit

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

CREATE FUNCTION ruvector_attention_score(query vector, key vector, attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(vector, vector, text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';
CREATE FUNCTION ruvector_attention_score(query halfvec, key halfvec, attention_type text DEFAULT 'scaled_dot') RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_attention_score(halfvec, halfvec, text) IS 'The attention logit of one query and one key (a softmax over one key would always be 1).';

CREATE FUNCTION ruvector_mha_search(table_name text, query vector, num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, vector, integer, integer) IS 'The rows of a relation by their attention weight for one query.';
CREATE FUNCTION ruvector_mha_search(table_name text, query halfvec, num_heads integer DEFAULT 8, k integer DEFAULT 10) RETURNS TABLE (id bigint, score real)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION ruvector_mha_search(text, halfvec, integer, integer) IS 'The rows of a relation by their attention weight for one query.';

CREATE FUNCTION ruvector_moe_route(embedding vector, num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(vector, integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';
CREATE FUNCTION ruvector_moe_route(embedding halfvec, num_experts integer DEFAULT 8, top_k integer DEFAULT 2) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(halfvec, integer, integer) IS 'The experts, from 0, that a seeded random gate sends a vector to, and their weights.';

CREATE FUNCTION ruvector_hyperbolic_distance(a vector, b vector, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(vector, vector, double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_hyperbolic_distance(a halfvec, b halfvec, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_hyperbolic_distance(halfvec, halfvec, double precision) IS 'The Poincare distance of two points of the ball of radius 1/sqrt(|curvature|).';

CREATE FUNCTION ruvector_poincare_distance(a vector, b vector, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(vector, vector, double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';
CREATE FUNCTION ruvector_poincare_distance(a halfvec, b halfvec, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_distance(halfvec, halfvec, double precision) IS 'The distance of two points of the Poincare ball of radius 1/sqrt(|curvature|).';

CREATE FUNCTION ruvector_lorentz_distance(a vector, b vector, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(vector, vector, double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_distance(a halfvec, b halfvec, curvature double precision DEFAULT 1.0) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_distance(halfvec, halfvec, double precision) IS 'The distance along the hyperboloid of two points of it, first coordinate the time.';

CREATE FUNCTION ruvector_mobius_add(a vector, b vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(vector, vector, double precision) IS 'The Mobius sum of two points of the Poincare ball.';
CREATE FUNCTION ruvector_mobius_add(a halfvec, b halfvec, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_mobius_add(halfvec, halfvec, double precision) IS 'The Mobius sum of two points of the Poincare ball.';

CREATE FUNCTION ruvector_exp_map(base vector, tangent vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(vector, vector, double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';
CREATE FUNCTION ruvector_exp_map(base halfvec, tangent halfvec, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_exp_map(halfvec, halfvec, double precision) IS 'The point of the Poincare ball that a tangent vector at base leads to.';

CREATE FUNCTION ruvector_log_map(base vector, point vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(vector, vector, double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';
CREATE FUNCTION ruvector_log_map(base halfvec, point halfvec, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_log_map(halfvec, halfvec, double precision) IS 'The tangent vector at base that leads to a point of the Poincare ball.';

CREATE FUNCTION ruvector_poincare_to_lorentz(point vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(vector, double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';
CREATE FUNCTION ruvector_poincare_to_lorentz(point halfvec, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_poincare_to_lorentz(halfvec, double precision) IS 'The point of the hyperboloid, time first, of a point of the Poincare ball.';

CREATE FUNCTION ruvector_lorentz_to_poincare(point vector, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(vector, double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';
CREATE FUNCTION ruvector_lorentz_to_poincare(point halfvec, curvature double precision DEFAULT 1.0) RETURNS real[]
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_lorentz_to_poincare(halfvec, double precision) IS 'The point of the Poincare ball of a point of the hyperboloid, first coordinate the time.';

CREATE FUNCTION ruvector_minkowski_dot(a vector, b vector) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(vector, vector) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
CREATE FUNCTION ruvector_minkowski_dot(a halfvec, b halfvec) RETURNS real
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_minkowski_dot(halfvec, halfvec) IS 'The Minkowski product of two vectors: that of their first coordinates counts as negative.';
