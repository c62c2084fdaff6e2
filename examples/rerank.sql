-- Two stages: pgvector's index finds candidates, attention decides among them. On the sample of `ruattn demo`:
--     .venv/bin/ruattn server psql demo -f examples/rerank.sql

CREATE EXTENSION IF NOT EXISTS vector;

-- The documents as pgvector keeps them, with its approximate index.
CREATE TABLE passages AS SELECT id, title, embedding::vector(384) AS embedding FROM documents;
ALTER TABLE passages ADD PRIMARY KEY (id);
CREATE INDEX ON passages USING hnsw (embedding vector_cosine_ops);

-- Of the 40 passages that the index finds for question 6, those that deserve attention: entmax gives weight 0 to what
-- lies too far behind the best. Look at the scores: they are shares of the attention over the 40, and sum to 1.
SELECT p.title, s.score
FROM   mha_search s JOIN passages p USING (id)
WHERE  s.table_name = 'passages' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.candidates = ARRAY(SELECT id FROM passages
                                ORDER BY embedding <=> (SELECT embedding::vector FROM questions WHERE id = 6) LIMIT 40)
       AND s.attention_type = 'entmax' AND s.temperature = 0.004 AND s.score > 0
ORDER  BY s.score DESC;

-- The same for every question. Look at `worth_it`: no LIMIT says how many answers a question has. Where one document
-- stands out there are few, where many are about as good there are more.
SELECT q.question, count(*) AS worth_it, (array_agg(p.title ORDER BY s.score DESC))[1] AS best, max(s.score) AS score
FROM   questions q
       CROSS JOIN LATERAL (
           SELECT id, score FROM mha_search
           WHERE  table_name = 'passages' AND query = q.embedding
                  AND candidates = ARRAY(SELECT id FROM passages ORDER BY embedding <=> q.embedding::vector LIMIT 40)
                  AND attention_type = 'entmax' AND temperature = 0.004 AND score > 0) s
       JOIN passages p ON p.id = s.id
GROUP  BY q.id ORDER BY worth_it, q.id;

DROP TABLE passages;
