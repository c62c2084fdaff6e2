-- A learned model reads what a vector search found, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/neural_rerank.sql
-- An administrator must offer a reranker first, under the name `minilm`: docs/neural_rerank.md says how.

-- The 40 documents nearest to a question by their vectors, and of these the best by their texts. Look at `was`, the
-- place among the 40, and at the score: the model's logit, which no other row has a part in.
WITH nearest AS (
    SELECT id, rank FROM mha_search
    WHERE  table_name = 'documents' AND query = (SELECT embedding FROM questions WHERE id = 6)
           AND attention_type = 'cosine' AND k = 40)
SELECT s.rank, n.rank AS was, d.title, s.score
FROM   neural_rerank s JOIN nearest n USING (id) JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.text_column = 'body' AND s.model = 'minilm'
       AND s.query_text = (SELECT question FROM questions WHERE id = 6)
       AND s.candidates = ARRAY(SELECT id FROM nearest)
ORDER  BY s.score DESC LIMIT 5;

-- The same for every question, with scores between 0 and 1.
SELECT q.question, d.title, s.score
FROM   questions q
       CROSS JOIN LATERAL (SELECT id, score FROM neural_rerank
                           WHERE table_name = 'documents' AND text_column = 'body' AND model = 'minilm'
                                 AND query_text = q.question AND options = '{"activation": "sigmoid"}' AND k = 1
                                 AND candidates = ARRAY(SELECT id FROM mha_search
                                                        WHERE table_name = 'documents' AND query = q.embedding
                                                              AND attention_type = 'cosine' AND k = 40)) s
       JOIN documents d ON d.id = s.id
ORDER  BY q.id;

-- What was done: rows read, texts that were longer than the model reads, the time in the model.
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT id FROM neural_rerank
WHERE  table_name = 'questions' AND query_text = 'a sweet food that bees make' AND model = 'minilm';
