-- Attention over a graph, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/graph_search.sql

-- WordNet's own relations between the documents, from the particular to the general. What does it say of antibiotics?
SELECT s.title, e.kind, t.title
FROM   edges e JOIN documents s ON s.id = e.source JOIN documents t ON t.id = e.target
WHERE  14503 IN (e.source, e.target) ORDER BY e.source LIMIT 5;

-- To which of its neighbours does penicillin attend most? Its own row, hop 0, makes the scores sum to 1.
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'edges' AND g.query_node_id = 21576 AND g.temperature = 5
ORDER  BY g.attention_score DESC;

-- Edges followed forwards only: what penicillin is, and what that is. A further node has the product of the attention
-- along its best path.
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'edges' AND g.query_node_id = 21576
       AND g.temperature = 5 AND g.hops = 4 AND g.direction = 'out'
ORDER  BY g.hop;

-- One kind of edges only: a view says which. These are all the kinds of antibacterial drugs, backwards, two steps deep.
CREATE TEMP VIEW kinds AS SELECT source, target FROM edges WHERE kind = 'kind of';
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'kinds' AND g.query_node_id = 14501
       AND g.temperature = 5 AND g.hops = 2 AND g.direction = 'in' AND g.self_loops = false AND g.k = 10
ORDER  BY g.attention_score DESC;

-- All that is connected with penicillin, by the visits of a walk that returns with probability 0.3 at each step.
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'edges' AND g.query_node_id = 21576
       AND g.attention_type = 'ppr_diffusion' AND g.options = '{"alpha": 0.3}' AND g.k = 10
ORDER  BY g.attention_score DESC;

-- The neighbours again by a function, without penicillin itself.
SELECT d.title, g.attention_score
FROM   ruvector_gat_search('documents', 'edges', 21576, num_heads => 8, k => 3) g JOIN documents d ON d.id = g.node_id;

-- How the edges were read, and how many: so few all at once, many by the indexes on their ends.
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT node_id FROM gat_search
WHERE  node_table = 'documents' AND edge_table = 'edges' AND query_node_id = 21576;
