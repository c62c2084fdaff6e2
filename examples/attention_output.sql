-- What attention makes of values, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/attention_output.sql

-- How sure is the attention of each question? A low entropy means that few documents share it.
SELECT q.question, a.entropy
FROM   attention a JOIN questions q ON q.id = a.query_id
WHERE  a.query_table = 'questions' AND a.table_name = 'documents'
       AND a.attention_type = 'cosine' AND a.temperature = 0.05
ORDER  BY a.entropy;

-- The mean id under that attention: values may be numbers, here of a column of the same table.
SELECT q.question, a.output[1] AS mean_id
FROM   attention a JOIN questions q ON q.id = a.query_id
WHERE  a.query_table = 'questions' AND a.table_name = 'documents' AND a.value_column = 'id'
       AND a.attention_type = 'cosine' AND a.temperature = 0.05
ORDER  BY q.id;

-- The same arithmetic on arrays, without any table.
SELECT ruvector_attention_scores('{1, 0}', '{{1, 0}, {0, 1}, {1, 1}}') AS weights,
       ruvector_flash_attention('{1, 0}', '{{1, 0}, {0, 1}, {1, 1}}', '{{1}, {2}, {3}}') AS output,
       ruvector_softmax('{1, 2, 3}') AS softmax;
