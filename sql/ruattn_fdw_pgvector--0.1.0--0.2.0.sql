-- complain if the script is sourced in psql rather than run by ALTER EXTENSION
\echo Use "ALTER EXTENSION ruattn_fdw_pgvector UPDATE TO '0.2.0'" to load this file. \quit

DROP FUNCTION ruvector_moe_route(embedding vector, num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding halfvec, num_experts integer, top_k integer);
CREATE FUNCTION ruvector_moe_route(embedding vector, num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(vector, integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding halfvec, num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(halfvec, integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
