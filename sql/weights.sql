-- Sets of learned weights. Whoever names one as model reads it here, with his own privileges: the owner writes, and
-- grants SELECT as he likes. The checks compare equal types only: an operator of two others that somebody made in this
-- schema beforehand would be closer than any of pg_catalog.

CREATE TABLE ruattn_weights (
    name text NOT NULL CHECK (name <> ''),
    tensor text NOT NULL,
    shape integer[] NOT NULL,
    data real[] NOT NULL,
    fitted_rows bigint CHECK (fitted_rows > 0),
    stored_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (name, tensor),
    -- the empty array has no dimensions, NULL: a check that is not TRUE would pass
    CONSTRAINT ruattn_weights_shape_is_positive CHECK ((
        pg_catalog.array_ndims(shape) = 1 AND pg_catalog.array_lower(shape, 1) = 1
        AND pg_catalog.array_length(shape, 1) <= 3 AND 0 < ALL (shape)
    ) IS TRUE),
    CONSTRAINT ruattn_weights_data_fills_shape CHECK ((
        pg_catalog.array_ndims(data) = 1
        AND pg_catalog.cardinality(data)::numeric
            = shape[1]::numeric * COALESCE(shape[2], 1)::numeric * COALESCE(shape[3], 1)::numeric
    ) IS TRUE),
    CONSTRAINT ruattn_weights_data_is_finite CHECK (
        pg_catalog.array_position(data, NULL) IS NULL
        AND 'NaN' <> ALL (data) AND 'Infinity' <> ALL (data) AND '-Infinity' <> ALL (data)
    )
);
-- numbers of weights do not compress
ALTER TABLE ruattn_weights ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE ruattn_weights IS 'sets of learned weights, which the parameter model of attention tables names';
COMMENT ON COLUMN ruattn_weights.name IS 'name of the set';
COMMENT ON COLUMN ruattn_weights.tensor IS 'what the tensor is: W_q, b_q and so on; vectors are rows, so that W_q has the shape {in, out}';
COMMENT ON COLUMN ruattn_weights.shape IS 'lengths of its one to three axes';
COMMENT ON COLUMN ruattn_weights.data IS 'its numbers, the last axis fastest';
COMMENT ON COLUMN ruattn_weights.fitted_rows IS 'rows that it was fitted to, NULL for weights that were trained elsewhere';
COMMENT ON COLUMN ruattn_weights.stored_at IS 'when it was stored';

-- pg_dump carries the sets.
SELECT pg_catalog.pg_extension_config_dump('ruattn_weights', '');
