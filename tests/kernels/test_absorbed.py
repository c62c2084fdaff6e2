"""A query that takes in the projection of the keys has the weights that it has over projected keys."""

import numpy as np
import pytest
from ruattn_fdw.kernels.absorbed import AbsorbedScorer, absorbing, absorbs
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.errors import InvalidShape
from ruattn_fdw.kernels.mechanism import parse_options
from ruattn_fdw.kernels.projections import Affine
from ruattn_fdw.kernels.registry import MECHANISMS, find
from ruattn_fdw.kernels.trained import trained

RANDOM = np.random.RandomState(3)


def drawn(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


KEYS, WEIGHT, BIAS = drawn(300, 20), drawn(20, 12), drawn(12)


@pytest.mark.parametrize("tensors", [{"W_k": WEIGHT}, {"W_k": WEIGHT, "b_k": BIAS}], ids=["W", "W and b"])
@pytest.mark.parametrize(("heads", "options"), [(1, {}), (3, {}), (3, {"scale": 0.4})])
def test_weights_are_those_over_projected_keys(tensors, heads, options):
    name = "scaled_dot" if options else "multi_head"
    mechanism, query = trained(find(name), tensors), drawn(12)
    settings = {"num_heads": heads, "options": options, "temperature": 0.7}
    wanted = attend(mechanism, query, mechanism.projections.key(KEYS), **settings)
    found = attend(absorbing(mechanism), query, KEYS, **settings)
    np.testing.assert_allclose(found.head_scores, wanted.head_scores, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.logit, wanted.logit, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.lse, wanted.lse, rtol=1e-6)


def test_the_bound_on_rounding_holds():
    affine, query = Affine("W_k", WEIGHT, 100 * BIAS), drawn(3, 4).astype(float)
    single, double = (AbsorbedScorer(query, affine, dtype) for dtype in (np.float32, np.float64))
    found, exact = np.empty((3, 300), np.float32), np.empty((3, 300))
    single.logits(KEYS, found)
    double.logits(KEYS.astype(float), exact)
    assert (np.abs(found - exact) <= single.rounding(KEYS)).all()


def test_only_products_of_pairs_absorb():
    layer = {"W_k": WEIGHT[:12], "W_q": WEIGHT[:12]}
    found = {
        m.name
        for m in MECHANISMS
        if m.training
        and not m.training.required
        and absorbs(trained(m, layer), parse_options(trained(m, layer), {}))
    }
    assert found == {"scaled_dot", "multi_head", "flash_v2", "cross"}
    biased = trained(find("multi_head"), {"b_k": BIAS})
    assert not absorbs(biased, {})


def test_keys_of_another_width_are_refused():
    mechanism = absorbing(trained(find("multi_head"), {"W_k": WEIGHT}))
    with pytest.raises(InvalidShape, match="query has 12 dimensions, keys have 12"):
        attend(mechanism, drawn(12), drawn(5, 12), num_heads=3)
    with pytest.raises(InvalidShape, match="query has 9 dimensions, W_k of the model gives 12"):
        attend(mechanism, drawn(9), KEYS, num_heads=3)
