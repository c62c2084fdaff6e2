-- Two tables at once, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/cross_attention.sql

-- The two documents to which each question attends most, in one scan of both tables.
SELECT q.question, d.title, c.score
FROM   cross_attention c
       JOIN questions q ON q.id = c.query_id
       JOIN documents d ON d.id = c.doc_id
WHERE  c.query_table = 'questions' AND c.document_table = 'documents'
       AND c.attention_type = 'cosine' AND c.temperature = 0.05 AND c.k = 2
ORDER  BY c.query_id, c.rank;

-- The same as a function: all scores, with the columns that the call names. How much attention do all questions
-- together pay to a document?
SELECT d.title, sum(c.score) AS attention
FROM   ruvector_cross_attention('questions', 'embedding', 'documents', 'embedding', 'cosine')
           AS c (query_id int, doc_id int, score float)
       JOIN documents d ON d.id = c.doc_id
GROUP  BY d.title ORDER BY attention DESC LIMIT 5;
