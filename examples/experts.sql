-- Mixtures of experts, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/experts.sql

-- The experts, numbered from 0, that a gate of random projections sends each question to. Nothing is learned, but
-- vectors that are alike go alike.
SELECT q.question, r.expert, r.weight
FROM   questions q
       CROSS JOIN LATERAL (SELECT expert, weight, rank FROM moe_route WHERE embedding = q.embedding AND top_k = 2) r
ORDER  BY q.id, r.rank;

-- The same for one vector, as JSON.
SELECT ruvector_moe_route(embedding, num_experts := 4, top_k := 1) FROM questions WHERE id = 6;

-- A gate made of the rows: experts are clusters of the documents, found by k-means. How many go to each, and which
-- lie deepest in it?
SELECT expert, count(*), (array_agg(split_part(d.title, ',', 1) ORDER BY r.weight DESC))[1:5] AS among_them
FROM   moe_route r JOIN documents d USING (id)
WHERE  r.table_name = 'documents' AND r.num_experts = 6 AND r.top_k = 6 AND r.options = '{"gate": "kmeans"}'
       AND r.rank = 1
GROUP  BY expert ORDER BY expert;

-- Attention within the two clusters that the gate chooses for a question.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'moe' AND s.options = '{"num_experts": 6, "top_k": 2}'
       AND s.temperature = 0.002 AND s.k = 5
ORDER  BY s.score DESC;
