-- Hyperbolic space, on the sample that `ruattn demo` loads:
--     .venv/bin/ruattn server psql demo -f examples/hyperbolic.sql

-- Any vector will do for `hyperbolic`: its direction and length are kept as those seen from the origin.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'hyperbolic' AND s.options = '{"curvature": -1.0}'
       AND s.temperature = 0.05 AND s.k = 5
ORDER  BY s.score DESC;

-- `poincare` wants points of the ball of radius 1/sqrt(|curvature|). Embeddings of length 1 lie at its edge, so the
-- ball is made larger here; {"project": true} would draw them to the edge instead.
SELECT d.title, s.score
FROM   mha_search s JOIN documents d USING (id)
WHERE  s.table_name = 'documents' AND s.query = (SELECT embedding FROM questions WHERE id = 6)
       AND s.attention_type = 'poincare' AND s.options = '{"curvature": -0.5}'
       AND s.temperature = 0.05 AND s.k = 5
ORDER  BY s.score DESC;

-- A hierarchy in the ball: the more general, the nearer to the centre. From the poodle the way to another animal leads
-- over what both are, so dog and mammal come before the beagle, and animal before the cats. Directions alone, which
-- cosine compares, do not know a level: there the beagle is nearer than the mammal, and cats than the animal.
CREATE TEMP TABLE taxonomy AS
SELECT id, level, name, ARRAY[tanh(level / 2.0) * cos(angle), tanh(level / 2.0) * sin(angle)]::real[] AS point
FROM   (VALUES (1, 1, 'animal', 0.50), (2, 2, 'mammal', 0.16), (3, 2, 'bird', 0.90), (4, 3, 'dog', 0.10),
               (5, 3, 'cat', 0.35), (6, 4, 'poodle', 0.05), (7, 4, 'beagle', 0.15), (8, 4, 'siamese', 0.35),
               (9, 3, 'sparrow', 0.90), (10, 1, 'plant', 3.60), (11, 2, 'rose', 3.40))
       AS thing (id, level, name, angle);

SELECT t.name, t.level, h.rank AS in_the_ball, c.rank AS by_cosine
FROM   taxonomy t
       JOIN mha_search h ON h.id = t.id AND h.table_name = 'taxonomy' AND h.query_id = 6
                            AND h.attention_type = 'poincare'
       JOIN mha_search c ON c.id = t.id AND c.table_name = 'taxonomy' AND c.query_id = 6
                            AND c.attention_type = 'cosine'
ORDER  BY h.rank;

-- Distances, and the way between the two models of the space: the distance is the same in both.
SELECT ruvector_hyperbolic_distance('{0.1, 0.2}', '{0.3, -0.4}', curvature := 1.0) AS in_the_ball,
       ruvector_lorentz_distance(ruvector_poincare_to_lorentz('{0.1, 0.2}'),
                                 ruvector_poincare_to_lorentz('{0.3, -0.4}')) AS on_the_hyperboloid;

-- Half-way from one point to another: the tangent that leads there, halved, and followed.
SELECT ruvector_exp_map('{0.1, 0.2}',
                        (SELECT array_agg(x / 2 ORDER BY place)
                         FROM   unnest(ruvector_log_map('{0.1, 0.2}', '{0.3, -0.4}')) WITH ORDINALITY t (x, place))::text);
