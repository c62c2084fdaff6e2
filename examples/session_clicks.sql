-- What visitors are after, from their clicks, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/session_clicks.sql

-- Two visitors. Each looks at three documents about one thing (questions 6 and 9), and is led astray before and in
-- between to three about another (question 4).
CREATE TABLE clicks AS
SELECT v.session, 10 * s.rank + v.late AS clicked_at, s.id AS document
FROM   (VALUES (1, 6, 5), (1, 4, 0), (2, 9, 5), (2, 4, 0)) v (session, question, late)
       JOIN questions q ON q.id = v.question
       CROSS JOIN LATERAL (SELECT id, rank FROM mha_search
                           WHERE table_name = 'documents' AND query = q.embedding
                                 AND attention_type = 'cosine' AND k = 3) s;

SELECT session, clicked_at, title FROM clicks JOIN documents d ON d.id = document ORDER BY session, clicked_at;

-- One vector for each session: attention of the last click to all of them. A query of zeros attends to all alike, so
-- it gives their plain mean, to compare with.
CREATE TABLE interests AS
SELECT session,
       attention_pool(last, embedding, 'cosine') AS attended,
       attention_pool(array_fill(0::real, ARRAY[384]), embedding) AS mean
FROM   (SELECT session, embedding, last_value(embedding) OVER (PARTITION BY session ORDER BY clicked_at
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last
        FROM   clicks JOIN documents d ON d.id = document) visits
GROUP  BY session;

-- What to show next: the nearest documents that were not clicked yet. Look at the mean's: half of them, or more, are oils.
SELECT i.session, p.pooled, string_agg(d.title, '; ' ORDER BY s.rank) AS next
FROM   interests i
       CROSS JOIN LATERAL (VALUES ('attention', attended), ('mean', mean)) p (pooled, vector)
       CROSS JOIN LATERAL (SELECT id, rank FROM mha_search
                           WHERE table_name = 'documents' AND query = p.vector
                                 AND attention_type = 'cosine' AND k = 10
                                 AND id NOT IN (SELECT document FROM clicks WHERE session = i.session)
                           ORDER BY score DESC LIMIT 4) s
       JOIN documents d ON d.id = s.id
GROUP  BY i.session, p.pooled ORDER BY i.session, p.pooled;

DROP TABLE clicks, interests;
