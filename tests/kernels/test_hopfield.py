"""The modern Hopfield network."""

from __future__ import annotations

import numpy as np
import pytest
from ruattn_fdw.kernels.attend import attend
from ruattn_fdw.kernels.batch import Settings
from ruattn_fdw.kernels.outputs import outputs
from ruattn_fdw.kernels.registry import find
from samples import sample
from scoring_twins import energy, hopfield
from test_golden import load

HOPFIELD = find("hopfield")


@pytest.mark.parametrize("n", [1, 63, 500])
@pytest.mark.parametrize("options", [{}, {"beta": 0.05}, {"beta": 0.2, "max_steps": 3}, {"tol": 1e-3}])
def test_it_agrees_with_its_twin(n, options):
    query, keys = sample(n)
    weights = attend(HOPFIELD, query, keys, options=options, temperature=0.8)
    expected, _, steps = hopfield(query, keys, **options, temperature=0.8)
    np.testing.assert_allclose(weights.score, expected, rtol=1e-5, atol=1e-10)
    assert weights.notes["Steps"] == steps


def test_each_head_is_a_memory_of_its_own():
    query, keys = sample()
    weights = attend(HOPFIELD, query, keys, num_heads=2)
    apart = [
        attend(HOPFIELD, query[half], np.ascontiguousarray(keys[:, half]), options={"tol": 1e-12})
        for half in (slice(30), slice(30, 60))
    ]
    np.testing.assert_allclose(weights.head_scores, [w.score for w in apart], atol=1e-5)


@pytest.mark.parametrize("beta", [0.05, 0.3])
def test_one_step_is_scaled_dot_with_beta_for_scale(beta):
    query, keys = sample()
    one = attend(HOPFIELD, query, keys, options={"beta": beta, "max_steps": 1})
    plain = attend(find("scaled_dot"), query, keys, options={"scale": beta})
    np.testing.assert_allclose(one.score, plain.score, rtol=1e-5)
    np.testing.assert_allclose(one.lse, plain.lse, rtol=1e-6)


def test_the_energy_never_increases():
    query, keys = sample()
    wide = keys.astype(np.float64)
    states = [query.astype(np.float64)]
    for steps in range(1, 8):
        settings = Settings(HOPFIELD, 60, options={"beta": 0.2, "max_steps": steps})
        [block] = outputs(settings, query[None], keys, None)
        states.append(block.output[0].astype(np.float64))
    energies = [energy(state, wide, 0.2) for state in states]
    assert (np.diff(energies) <= 1e-5).all()
    assert energies[-1] < energies[0] - 1


def test_a_damaged_pattern_is_completed():
    _, keys = sample(200)
    damaged = keys[17].copy()
    damaged[:30] = 0
    [block] = outputs(Settings(HOPFIELD, 60), damaged[None], keys, None)
    np.testing.assert_allclose(block.output[0], keys[17], atol=1e-2)


def test_it_agrees_with_torch():
    golden = load("hopfield")
    weights = attend(
        HOPFIELD, golden["query"], golden["keys"], options={"beta": 0.3, "max_steps": 3, "tol": 1e-12}
    )
    np.testing.assert_allclose(weights.score, golden["weights"], rtol=1e-5, atol=1e-10)
    twin, state, _ = hopfield(golden["query"], golden["keys"], beta=0.3, max_steps=3, tol=1e-12)
    np.testing.assert_allclose(twin, golden["weights"], atol=1e-14)
    np.testing.assert_allclose(state, golden["state"], atol=1e-13)
