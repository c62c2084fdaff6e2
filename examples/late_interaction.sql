-- Late interaction: several vectors in each row, compared with several query vectors by max_sim:
--     .venv/bin/ruattn server psql demo -f examples/late_interaction.sql

-- A shelf for every letter, and on it the vectors of its documents: one row for each vector.
CREATE VIEW shelves AS
SELECT ascii(lower(left(title, 1))) AS shelf, embedding FROM documents WHERE title ~* '^[a-z]';

-- The shelves that answer all ten questions best. For each question the best document of a shelf counts.
SELECT chr(s.id::int) AS shelf, s.score, s.logit
FROM   mha_search s
WHERE  s.table_name = 'shelves' AND s.id_column = 'shelf' AND s.attention_type = 'max_sim'
       AND s.queries = (SELECT array_agg(embedding ORDER BY id) FROM questions)
ORDER  BY s.score DESC LIMIT 5;

-- The same with all vectors of a shelf in one row, as a two-dimensional array.
CREATE TABLE packed AS SELECT shelf AS id, array_agg(embedding) AS vectors FROM shelves GROUP BY shelf;
SELECT chr(id::int) AS shelf, score
FROM   mha_search
WHERE  table_name = 'packed' AND attention_type = 'max_sim' AND k = 5
       AND queries = (SELECT array_agg(embedding ORDER BY id) FROM questions)
ORDER  BY score DESC;

DROP TABLE packed;
DROP VIEW shelves;
