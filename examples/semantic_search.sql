-- Semantic search on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/semantic_search.sql

-- The questions at hand.
SELECT id, question FROM questions ORDER BY id;

-- The five documents to which question 6 attends most. The score is a share of the attention over all documents;
-- the temperature is low because the logits of unit vectors lie close together.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.num_heads = 8 AND s.k = 5 AND s.temperature = 0.002
ORDER  BY s.score DESC;

-- The best answer to each question at once: the parameter comes from the other table.
SELECT q.question, d.title, s.score
FROM   questions q
       CROSS JOIN LATERAL (SELECT id, score FROM mha_search
                           WHERE table_name = 'documents' AND query = q.embedding
                                 AND attention_type = 'cosine' AND temperature = 0.05 AND k = 1) s
       JOIN documents d ON d.id = s.id
ORDER  BY q.id;

-- Rerank what another search has found: attention over these candidates only, so their scores sum to 1.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.candidates = ARRAY(SELECT id FROM documents WHERE body ILIKE '%bacteria%')
       AND s.attention_type = 'cosine' AND s.temperature = 0.05
ORDER  BY s.score DESC LIMIT 5;
