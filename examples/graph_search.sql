-- Attention over a graph, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/graph_search.sql

-- A graph to walk on: the 60 documents nearest question 6, each linked to the three that it is most alike.
CREATE TABLE links AS
SELECT d.id AS source, s.id AS target
FROM   mha_search m JOIN documents d USING (id)
       CROSS JOIN LATERAL (SELECT id FROM mha_search WHERE table_name = 'documents' AND query = d.embedding
                                  AND attention_type = 'cosine' AND k = 4) s
WHERE  m.table_name = 'documents' AND m.query = (SELECT embedding FROM questions WHERE id = 6)
       AND m.attention_type = 'cosine' AND m.k = 60 AND s.id <> d.id;

-- With an index on either end only the edges around the nodes in question are read.
CREATE INDEX ON links (source);
CREATE INDEX ON links (target);

-- The neighbours to which a document attends most; its own row, hop 0, makes the scores sum to 1.
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'links' AND g.query_node_id = (SELECT min(source) FROM links)
       AND g.temperature = 5
ORDER  BY g.attention_score DESC;

-- Two hops: a further node has the product of the attention along its best path. Edges are followed forwards only.
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'links' AND g.query_node_id = (SELECT min(source) FROM links)
       AND g.temperature = 5 AND g.hops = 2 AND g.direction = 'out' AND g.k = 10
ORDER  BY g.attention_score DESC;

-- All documents that the links lead to, by the visits of a walk that returns with probability 0.3 at each step.
SELECT d.title, g.attention_score, g.hop
FROM   gat_search g JOIN documents d ON d.id = g.node_id
WHERE  g.node_table = 'documents' AND g.edge_table = 'links' AND g.query_node_id = (SELECT min(source) FROM links)
       AND g.attention_type = 'ppr_diffusion' AND g.options = '{"alpha": 0.3}' AND g.direction = 'out' AND g.k = 10
ORDER  BY g.attention_score DESC;

-- The neighbours again by a function, without the document itself.
SELECT * FROM ruvector_gat_search('documents', 'links', (SELECT min(source) FROM links), num_heads => 8, k => 3);

-- How the edges were read, and how many.
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT node_id FROM gat_search
WHERE  node_table = 'documents' AND edge_table = 'links' AND query_node_id = (SELECT min(source) FROM links);

DROP TABLE links;
