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

-- Distances, and the way between the two models of the space: the distance is the same in both.
SELECT ruvector_hyperbolic_distance('{0.1, 0.2}', '{0.3, -0.4}', curvature := 1.0) AS in_the_ball,
       ruvector_lorentz_distance(ruvector_poincare_to_lorentz('{0.1, 0.2}'),
                                 ruvector_poincare_to_lorentz('{0.3, -0.4}')) AS on_the_hyperboloid;

-- Half-way from one point to another: the tangent that leads there, halved, and followed.
SELECT ruvector_exp_map('{0.1, 0.2}',
                        (SELECT array_agg(x / 2 ORDER BY place)
                         FROM   unnest(ruvector_log_map('{0.1, 0.2}', '{0.3, -0.4}')) WITH ORDINALITY t (x, place))::text);
