CREATE TABLE documents (id int PRIMARY KEY, title text, embedding real[]);

INSERT INTO documents
SELECT i, 'document ' || i, ARRAY[cos(i), sin(i), cos(2*i), sin(2*i)]::real[] FROM generate_series(1, 40) i;

CREATE TABLE links AS SELECT i AS source, i % 40 + 1 AS target FROM generate_series(1, 40) i;

ANALYZE documents, links;

SELECT name, available FROM attention_types ORDER BY name LIMIT 3;

SELECT score, logit FROM attention_score WHERE query = '[1, 0]' AND key = '{0.6, 0.8}';

SELECT id, score, rank, head_scores, lse FROM mha_search
WHERE table_name = 'documents' AND query = '{1,0,0,0}' AND num_heads = 2 AND k = 3;

SELECT s.id, d.title FROM mha_search s JOIN documents d USING (id)
WHERE s.table_name = 'documents' AND s.query_id = 7 AND s.candidates = '{1,2,3,4}' AND s.num_heads = 1
ORDER BY s.score DESC LIMIT 2;

SELECT id FROM mha_search
WHERE table_name = 'documents' AND query = '{1,0,0,0}' AND num_heads = 1 AND candidates = '{}';

EXPLAIN (COSTS OFF) SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0,0,0}' AND num_heads = 1;

SELECT query_id, doc_id, rank FROM cross_attention
WHERE query_table = 'documents' AND document_table = 'documents' AND k = 2 ORDER BY query_id, rank LIMIT 6;

SELECT query_id, output, entropy FROM attention
WHERE table_name = 'documents' AND query_table = 'documents' AND attention_type = 'cosine' ORDER BY query_id LIMIT 2;

SELECT window_index, "position", output FROM sliding_attention
WHERE embeddings = ARRAY[[1, 0], [0, 1], [1, 1], [0, 2]]::real[] AND window_size = 3 AND stride = 1;

SELECT id, window_index FROM sliding_attention
WHERE table_name = 'documents' AND order_column = 'id' AND window_size = 20 AND stride = 10 LIMIT 3;

SELECT node_id, hop, attention_score FROM gat_search
WHERE node_table = 'documents' AND edge_table = 'links' AND query_node_id = 5 AND hops = 2 AND direction = 'out';

SELECT id, expert, weight FROM moe_route WHERE table_name = 'documents' AND num_experts = 3 AND top_k = 1 LIMIT 3;

-- fails
SELECT id FROM neural_rerank WHERE table_name = 'documents' AND query_text = 'a' AND model = 'none such';

SELECT operation, attention_type, calls > 0 FROM attention_stats ORDER BY 1, 2;

SELECT item, ok FROM ruattn_diag() WHERE item = 'interpreter';

SELECT ruvector_attention_score('[1, 0]', '[0.6, 0.8]'), ruvector_softmax(ARRAY[1, 2, 3]),
       ruvector_multi_head_attention(ARRAY[1, 0], ARRAY[[1, 0], [0, 1]], ARRAY[[10], [20]], num_heads => 1),
       ruvector_linear_attention('[1, 0]', '[[1, 0], [0, 1]]', '[[10], [20]]'), ruvector_moe_route('{1,2}');

SELECT * FROM ruvector_mha_search('documents', '{1,0,0,0}', 2, 3);

SELECT * FROM ruvector_cross_attention('documents', 'embedding', 'documents', 'embedding')
    AS (query_id int, doc_id bigint, score float) LIMIT 3;

SELECT id % 2, (attention_pool('{1,0,0,0}'::real[], embedding))[1:2] FROM documents GROUP BY 1 ORDER BY 1;

SELECT (attention_pool('{1,0,0,0}'::real[], embedding, ARRAY[id]::real[]) OVER (ORDER BY id))[1] FROM documents LIMIT 3;

SELECT '[1, 2]'::attention_vector, ARRAY[1, 2]::numeric[]::attention_vector = ARRAY[1, 2],
       '[3, 4]'::jsonb::attention_vector = '{3,4}'::real[], '{1}'::attention_vector < '{2}'::attention_vector;

CREATE INDEX attended ON documents USING ruvector_attention (embedding) INCLUDE (id)
    WITH (attention_type = 'cosine', num_heads = 2, dtype = 'int8');

SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{0,1,0,0}' AND k = 3;

SELECT index, attention_type, num_heads, dtype, state FROM attention_indexes;

UPDATE documents SET embedding = '{0,2,0,0}' WHERE id = 40;

DELETE FROM documents WHERE id = 39;

INSERT INTO documents VALUES (41, 'new', '{0,1,0,0}'), (42, 'without', NULL);

VACUUM documents;

SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{0,1,0,0}' AND k = 3;

SELECT entries, nulls, dead FROM ruvector_attention_index_stats('attended');

SELECT * FROM ruvector_attention_index_check('attended');

-- fails
INSERT INTO documents VALUES (43, 'odd', '{1,2,3}');

ALTER INDEX attended SET (attention_type = 'scaled_dot');

-- fails
ALTER INDEX attended SET (attention_type = 'none such');

SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{0,1,0,0}' AND k = 3;

REINDEX INDEX attended;

SELECT ruvector_drop_attention_index('attended');

SELECT ruvector_create_attention_index('documents', 'embedding', num_heads => 2, include => ARRAY['id']);

TRUNCATE links;

ALTER TABLE documents ADD added int DEFAULT 7;

SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{0,1,0,0}' AND k = 3;

ALTER TABLE documents DROP added;

CREATE FOREIGN TABLE own (id int, title text, score real, query attention_vector, k int)
    SERVER ruattn OPTIONS (operation 'mha_search', table_name 'documents', id_column 'id', num_heads '1');

SELECT id, title FROM own WHERE query = '{1,0,0,0}' AND k IN (1, 2);

ALTER FOREIGN TABLE own OPTIONS (SET num_heads '2');

ALTER FOREIGN TABLE own ADD candidates bigint[];

SELECT id, title FROM own WHERE query = '{1,0,0,0}' AND candidates = '{1,2,3}';

-- fails
ALTER FOREIGN TABLE own OPTIONS (ADD temprature '1');

CREATE SCHEMA imported;

IMPORT FOREIGN SCHEMA public LIMIT TO (documents) FROM SERVER ruattn INTO imported;

DROP SCHEMA imported CASCADE;

PREPARE search (attention_vector, int) AS SELECT id FROM own WHERE query = $1 AND k = $2;

SET plan_cache_mode = force_generic_plan;

EXECUTE search('{1,0,0,0}', 2);

UPDATE documents SET embedding = '{9,0,0,0}' WHERE id = 3;

EXECUTE search('{1,0,0,0}', 2);

ALTER TABLE documents RENAME title TO heading;

-- fails
SELECT id, title FROM own WHERE query = '{1,0,0,0}' AND k = 2;

ALTER TABLE documents RENAME heading TO title;

EXECUTE search('{1,0,0,0}', 2);

BEGIN;

DECLARE c SCROLL CURSOR FOR SELECT id FROM own WHERE query = '{1,0,0,0}' AND k = 5;

DECLARE held CURSOR WITH HOLD FOR SELECT id FROM own WHERE query = '{0,1,0,0}' AND k = 3;

FETCH 2 FROM c;

SAVEPOINT s;

DELETE FROM documents WHERE id < 5;

SELECT id FROM own WHERE query = '{1,0,0,0}' AND k = 2;

DECLARE inner_one CURSOR FOR SELECT id FROM own WHERE query = '{1,0,0,0}';

FETCH 1 FROM inner_one;

ROLLBACK TO s;

FETCH ALL FROM c;

FETCH BACKWARD 2 FROM c;

ALTER TABLE documents ALTER embedding TYPE double precision[];

ROLLBACK TO s;

COMMIT;

FETCH ALL FROM held;

CLOSE held;

DO $$ BEGIN
    FOR i IN 1..3 LOOP
        BEGIN
            PERFORM id FROM own WHERE query = '{1,0}';
        EXCEPTION WHEN data_exception THEN
            PERFORM id FROM own WHERE query = '{1,0,0,0}' AND k = i;
        END;
        BEGIN
            PERFORM s.id / 0 FROM own s WHERE query = '{1,0,0,0}';
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END LOOP;
END $$;

SELECT g, s.id FROM generate_series(1, 3) g, LATERAL
    (SELECT id FROM own WHERE query = ARRAY[g, 1, 0, 0] AND k = 1) s;

CREATE VIEW joined AS SELECT d.id, d.embedding FROM documents d JOIN generate_series(1, 20) n ON n = d.id;

SELECT id FROM mha_search WHERE table_name = 'joined' AND query = '{1,0,0,0}' AND num_heads = 1 AND k = 3;

SELECT id FROM mha_search WHERE table_name = 'joined' AND query = '{1,0,0,0}' AND num_heads = 1 AND k = 3;

-- fails
SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0,0,0}' AND k <> 1;

-- fails
SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,NULL}';

-- fails
SELECT ruvector_softmax('{1,NULL}'::real[]);

CREATE MATERIALIZED VIEW kept AS SELECT id, embedding FROM documents;

SELECT id FROM mha_search WHERE table_name = 'kept' AND query = '{1,0,0,0}' AND num_heads = 1 AND k = 3;

REFRESH MATERIALIZED VIEW kept;

SELECT id FROM mha_search WHERE table_name = 'kept' AND query = '{1,0,0,0}' AND num_heads = 1 AND k = 3;

CREATE TABLE parts (id int, v real[]) PARTITION BY RANGE (id);

CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (1) TO (20);

CREATE TABLE part2 (v real[], id int NOT NULL);

ALTER TABLE parts ATTACH PARTITION part2 FOR VALUES FROM (20) TO (90);

INSERT INTO parts SELECT id, embedding FROM documents WHERE embedding IS NOT NULL;

CREATE INDEX ON parts USING ruvector_attention (v);

SELECT id FROM mha_search WHERE table_name = 'parts' AND id_column = 'id' AND query = '{1,0,0,0}' AND num_heads = 1 AND k = 3;

ALTER TABLE parts DETACH PARTITION part1;

SELECT id FROM mha_search WHERE table_name = 'parts' AND id_column = 'id' AND query = '{1,0,0,0}' AND num_heads = 1 AND k = 3;

DROP TABLE parts;

ALTER TABLE documents ENABLE ROW LEVEL SECURITY;

CREATE ROLE ruattn_reader;

GRANT SELECT ON documents TO ruattn_reader;

CREATE POLICY few ON documents TO ruattn_reader USING (id < current_setting('few.below')::int);

SET few.below = 4;

SET ROLE ruattn_reader;

SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0,0,0}' AND num_heads = 1;

SET few.below = 3;

SELECT id FROM mha_search WHERE table_name = 'documents' AND query = '{1,0,0,0}' AND num_heads = 1;

-- fails
SELECT id FROM mha_search WHERE table_name = 'kept' AND query = '{1,0,0,0}' AND num_heads = 1;

RESET ROLE;

DROP POLICY few ON documents;

DROP OWNED BY ruattn_reader;

DROP ROLE ruattn_reader;

INSERT INTO ruattn_weights VALUES ('half', 'W_q', '{4,4}', '{1,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0}');

SELECT id FROM mha_search
WHERE table_name = 'documents' AND query = '{1,0,1,0}' AND num_heads = 1 AND model = 'half' AND k = 2;

VACUUM FULL documents;

SELECT id FROM own WHERE query = '{1,0,0,0}' AND k = 2;

DROP TABLE documents CASCADE;

-- fails
SELECT id FROM own WHERE query = '{1,0,0,0}' AND k = 2;

DROP FOREIGN TABLE own;
