-- Rows that have an order, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/sequences.sql

-- The ids stand for the time here; any column of numbers, dates or timestamps does.
-- Of the documents up to number 1000, those to which question 6 attends most.
SELECT d.id, d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'causal' AND s.order_column = 'id' AND s.position = 1000
       AND s.temperature = 0.002 AND s.k = 5
ORDER  BY s.score DESC;

-- Of the 500 newest documents only.
SELECT d.id, d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'sliding_window' AND s.order_column = 'id' AND s.options = '{"window_size": 500}'
       AND s.temperature = 0.002 AND s.k = 5
ORDER  BY s.score DESC;

-- Every document in the context of its neighbours: attention within windows of 64 that overlap by half.
SELECT window_index, position, id, output[1:3] AS first_of_384
FROM   sliding_attention
WHERE  table_name = 'documents' AND order_column = 'id' AND window_size = 64 AND stride = 32
LIMIT  5;
