-- complain if the script is sourced in psql rather than run by ALTER EXTENSION
\echo Use "ALTER EXTENSION ruattn_fdw UPDATE TO '0.2.0'" to load this file. \quit

DROP FUNCTION ruvector_moe_route(embedding attention_vector, num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding real[], num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding double precision[], num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding numeric[], num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding integer[], num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding bigint[], num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding smallint[], num_experts integer, top_k integer);
DROP FUNCTION ruvector_moe_route(embedding text, num_experts integer, top_k integer);
CREATE TABLE ruattn_weights (
    name text NOT NULL CHECK (name <> ''),
    tensor text NOT NULL,
    shape integer[] NOT NULL,
    data real[] NOT NULL,
    fitted_rows bigint CHECK (fitted_rows > 0),
    stored_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (name, tensor),
    -- the empty array has no dimensions, NULL: a check that is not TRUE would pass
    CONSTRAINT ruattn_weights_shape_is_positive CHECK ((
        pg_catalog.array_ndims(shape) = 1 AND pg_catalog.array_lower(shape, 1) = 1
        AND pg_catalog.array_length(shape, 1) <= 3 AND 0 < ALL (shape)
    ) IS TRUE),
    CONSTRAINT ruattn_weights_data_fills_shape CHECK ((
        pg_catalog.array_ndims(data) = 1
        AND pg_catalog.cardinality(data)::numeric
            = shape[1]::numeric * COALESCE(shape[2], 1)::numeric * COALESCE(shape[3], 1)::numeric
    ) IS TRUE),
    CONSTRAINT ruattn_weights_data_is_finite CHECK (
        pg_catalog.array_position(data, NULL) IS NULL
        AND 'NaN' <> ALL (data) AND 'Infinity' <> ALL (data) AND '-Infinity' <> ALL (data)
    )
);
ALTER TABLE ruattn_weights ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE ruattn_weights IS 'sets of learned weights, which the parameter model of attention tables names';
COMMENT ON COLUMN ruattn_weights.name IS 'name of the set';
COMMENT ON COLUMN ruattn_weights.tensor IS 'what the tensor is: W_q, b_q and so on; vectors are rows, so that W_q has the shape {in, out}';
COMMENT ON COLUMN ruattn_weights.shape IS 'lengths of its one to three axes';
COMMENT ON COLUMN ruattn_weights.data IS 'its numbers, the last axis fastest';
COMMENT ON COLUMN ruattn_weights.fitted_rows IS 'rows that it was fitted to, NULL for weights that were trained elsewhere';
COMMENT ON COLUMN ruattn_weights.stored_at IS 'when it was stored';
SELECT pg_catalog.pg_extension_config_dump('ruattn_weights', '');
COMMENT ON COLUMN mha_search.model IS 'PARAMETER (optional): name of a set in ruattn_weights; without it nothing is learned';
COMMENT ON COLUMN mha_search.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them, and shards, schemas with the imported tables of other servers: {"shards": ["s1", "s2"]}';
COMMENT ON COLUMN attention.model IS 'PARAMETER (optional): name of a set in ruattn_weights; without it nothing is learned';
COMMENT ON COLUMN attention.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them, and shards, schemas with the imported tables of other servers: {"shards": ["s1", "s2"]}';
COMMENT ON COLUMN cross_attention.model IS 'PARAMETER (optional): name of a set in ruattn_weights; without it nothing is learned';
COMMENT ON COLUMN cross_attention.options IS 'PARAMETER (optional): the mechanism''s own parameters, as attention_types lists them, and shards, schemas with the imported tables of other servers: {"shards": ["s1", "s2"]}';
COMMENT ON COLUMN sliding_attention.model IS 'PARAMETER (optional): name of a set in ruattn_weights; without it nothing is learned';
COMMENT ON COLUMN gat_search.model IS 'PARAMETER (optional): name of a set in ruattn_weights; without it nothing is learned';
COMMENT ON COLUMN moe_route.model IS 'PARAMETER (optional): name of a set in ruattn_weights; without it nothing is learned';
CREATE FOREIGN TABLE neural_rerank (
    id bigint,
    score real,
    rank bigint,
    table_name text,
    text_column text,
    query_text text,
    model text,
    id_column text,
    candidates bigint[],
    k integer,
    options jsonb
)
SERVER ruattn OPTIONS (operation 'neural_rerank');
COMMENT ON FOREIGN TABLE neural_rerank IS 'The rows of a relation by the relevance that a learned model sees in their texts for a query.';
COMMENT ON COLUMN neural_rerank.id IS 'RESULT: id of the row';
COMMENT ON COLUMN neural_rerank.score IS 'RESULT: relevance: the model''s logit or cosine, or what options make of it';
COMMENT ON COLUMN neural_rerank.rank IS 'RESULT: place in the answer, from 1';
COMMENT ON COLUMN neural_rerank.table_name IS 'PARAMETER (required): relation that holds the texts; its name resolves as in SQL';
COMMENT ON COLUMN neural_rerank.text_column IS 'PARAMETER (default: the only one of a text type): column of the texts';
COMMENT ON COLUMN neural_rerank.query_text IS 'PARAMETER (required): what the texts are to be relevant to';
COMMENT ON COLUMN neural_rerank.model IS 'PARAMETER (required): name of a model that the administrator offers for reranking';
COMMENT ON COLUMN neural_rerank.id_column IS 'PARAMETER (default: the single-column primary key, else id): column of the ids';
COMMENT ON COLUMN neural_rerank.candidates IS 'PARAMETER (optional): ids of the rows to score; all others are left out';
COMMENT ON COLUMN neural_rerank.k IS 'PARAMETER (default: every row): number of rows wanted; all candidates are scored';
COMMENT ON COLUMN neural_rerank.options IS 'PARAMETER (optional): how the model is asked: {"max_length": 256} cuts texts to so many tokens, {"activation": "sigmoid"} gives scores between 0 and 1';
GRANT SELECT ON neural_rerank TO PUBLIC;
COMMENT ON COLUMN attention_indexes.rows IS 'RESULT: vectors in the copy, also of rows that are gone; NULL while it is cold, and for you where row security may hide rows';
CREATE FOREIGN TABLE attention_stats (
    operation text,
    attention_type text,
    relation regclass,
    calls bigint,
    rows_scored bigint,
    cache_hits bigint,
    ms_read double precision,
    ms_check double precision,
    ms_kernel double precision,
    ms_emit double precision,
    last_call timestamptz
)
SERVER ruattn OPTIONS (operation 'attention_stats');
COMMENT ON FOREIGN TABLE attention_stats IS 'How often searches ran in this database since the server started, and what they cost.';
COMMENT ON COLUMN attention_stats.operation IS 'RESULT: table that was searched, also by a function or a foreign table of yours';
COMMENT ON COLUMN attention_stats.attention_type IS 'RESULT: mechanism, NULL where the operation knows none';
COMMENT ON COLUMN attention_stats.relation IS 'RESULT: relation that the keys came from, NULL for vectors that were given';
COMMENT ON COLUMN attention_stats.calls IS 'RESULT: searches that ended without an error, each rescan of a join one';
COMMENT ON COLUMN attention_stats.rows_scored IS 'RESULT: rows that they were over, anew for each row that asked';
COMMENT ON COLUMN attention_stats.cache_hits IS 'RESULT: searches that found all they read in copies that were current';
COMMENT ON COLUMN attention_stats.ms_read IS 'RESULT: milliseconds in reading rows';
COMMENT ON COLUMN attention_stats.ms_check IS 'RESULT: milliseconds in proving what of a copy may be used';
COMMENT ON COLUMN attention_stats.ms_kernel IS 'RESULT: milliseconds in computing';
COMMENT ON COLUMN attention_stats.ms_emit IS 'RESULT: milliseconds in handing over the answers';
COMMENT ON COLUMN attention_stats.last_call IS 'RESULT: when the last of them ended';
GRANT SELECT ON attention_stats TO PUBLIC;
CREATE FUNCTION ruvector_moe_route(embedding attention_vector, num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(attention_vector, integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding real[], num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(real[], integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding double precision[], num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(double precision[], integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding numeric[], num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(numeric[], integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding integer[], num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(integer[], integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding bigint[], num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(bigint[], integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding smallint[], num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(smallint[], integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE FUNCTION ruvector_moe_route(embedding text, num_experts integer DEFAULT NULL, top_k integer DEFAULT 2, model text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ruvector_moe_route(text, integer, integer, text) IS 'The experts, from 0, that a gate sends a vector to, and their weights: the gate of a model, or else a seeded random one, of 8 experts unless num_experts says otherwise.';
CREATE OR REPLACE FUNCTION ruattn_diag() RETURNS TABLE (item text, value text, ok boolean, advice text)
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 25;
COMMENT ON FUNCTION ruattn_diag() IS 'Versions, libraries, settings and files of this installation, with advice where need be.';
CREATE FUNCTION attention_stats_reset() RETURNS void
    AS 'MODULE_PATHNAME', 'ruattn_fdw_call' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION attention_stats_reset() IS 'Empties the table attention_stats for this database.';
REVOKE EXECUTE ON FUNCTION attention_stats_reset() FROM PUBLIC;
