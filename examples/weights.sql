-- Learned weights, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/weights.sql
--
-- A layer of a trained transformer comes out of its file with
--     ruattn weights load model.safetensors --prefix encoder.layer.0.attention --as layer --database demo
-- and experts are fitted to a table with
--     ruattn weights fit-experts documents --experts 16 --as topics --database demo
-- Here a set is written by hand: it takes from every vector what all documents have in common, their mean. What is left
-- tells them apart better.
INSERT INTO ruattn_weights (name, tensor, shape, data)
SELECT 'example', tensor, ARRAY[count(*)::int], array_agg(-mean ORDER BY place)
FROM   (SELECT place, avg(x) AS mean FROM documents, unnest(embedding) WITH ORDINALITY AS u(x, place) GROUP BY place) m
       CROSS JOIN unnest(ARRAY['b_q', 'b_k']) AS tensor
GROUP  BY tensor;

-- The same question with and without.
SELECT s.model, s.rank, d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'cosine' AND s.k = 5 AND s.model = 'example'
UNION ALL
SELECT s.model, s.rank, d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'cosine' AND s.k = 5
ORDER  BY model, rank;

-- EXPLAIN says whose weights they are.
EXPLAIN (COSTS OFF) SELECT id FROM mha_search
WHERE  table_name = 'documents' AND query_id = 1730 AND attention_type = 'cosine' AND model = 'example';

-- A table of your own with the model fixed.
CREATE FOREIGN TABLE example_search (id bigint, title text, score real, query_id bigint, k int)
  SERVER ruattn OPTIONS (operation 'mha_search', table_name 'documents', attention_type 'cosine', model 'example');
SELECT title, score FROM example_search WHERE query_id = (SELECT min(id) FROM documents) AND k = 5;

-- The table is its owner's. Others read what is granted to them:
--     GRANT SELECT ON ruattn_weights TO reader;
DROP FOREIGN TABLE example_search;
DELETE FROM ruattn_weights WHERE name = 'example';
