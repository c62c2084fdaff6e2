-- Words and meaning together, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/hybrid_search.sql

-- What full text finds for question 6, "medicine that kills bacteria": the words must be there.
SELECT title, ts_rank(to_tsvector('english', body), words) AS score
FROM   documents, to_tsquery('english', 'medicine | kill | bacteria') words
WHERE  to_tsvector('english', body) @@ words
ORDER  BY score DESC, id LIMIT 5;

-- What attention finds: the meaning, in whatever words.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'cosine' AND s.temperature = 0.05 AND s.k = 5
ORDER  BY s.score DESC;

-- Both, fused by their places: 1/(60 + place) in each list that has the document (reciprocal rank fusion). Look for
-- the rows that stand in both lists: they rise above what only one of the two finds.
WITH words AS (
    SELECT id, row_number() OVER (ORDER BY ts_rank(to_tsvector('english', body), query) DESC, id) AS place
    FROM   documents, to_tsquery('english', 'medicine | kill | bacteria') query
    WHERE  to_tsvector('english', body) @@ query
    ORDER  BY place LIMIT 30),
meaning AS (
    SELECT id, rank AS place FROM mha_search
    WHERE  table_name = 'documents' AND query = (SELECT embedding FROM questions WHERE id = 6)
           AND attention_type = 'cosine' AND k = 30)
SELECT d.title, words.place AS by_words, meaning.place AS by_meaning,
       round(coalesce(1.0 / (60 + words.place), 0) + coalesce(1.0 / (60 + meaning.place), 0), 4) AS score
FROM   words FULL JOIN meaning USING (id) JOIN documents d USING (id)
ORDER  BY score DESC, d.id LIMIT 10;

-- Or one after the other: the words choose the candidates, and attention is shared out among these alone.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.candidates = ARRAY(SELECT id FROM documents
                                WHERE to_tsvector('english', body) @@ to_tsquery('english', 'kill | bacteria'))
       AND s.attention_type = 'cosine' AND s.temperature = 0.05 AND s.k = 5
ORDER  BY s.score DESC;
