"""After every step of a random walk each session is answered as plain SQL would answer it."""

from random import SystemRandom

import pytest
from kinds import VARIANTS, Variant
from steps import STEPS
from walk import Walk

from ruattn_fdw.server.server import Server

SHORT, CRASH_OF_SHORT, CRASH_OF_LONG = 130, 90, 1000
"""Steps of each walk in a short run, and how many lie between two crashes of the server."""
DTYPES = (None, "float32", "float16", "int8")
"""Of the attention index; None: there is none."""
PAIRS = [(variant, dtype) for variant in VARIANTS for dtype in DTYPES]
# what differs by dtype alone is walked through on one kind of table
SHORT_PAIRS = [pair for pair in PAIRS if pair[0] is VARIANTS[0] or pair[1] in (None, "float32")]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Where the walk goes: given, or another one in every run."""
    given = request.config.option.freshness_seed
    return int(given) if given is not None else SystemRandom().randrange(2**31)


def walk_through(
    server: Server, database: str, pair: tuple[Variant, str | None], seed: int, steps: int, crash_every: int
) -> None:
    variant, dtype = pair
    walk = Walk(server, database, variant, seed, dtype)
    try:
        walk.run(STEPS, steps, crash_every)
        assert walk.counts["checked"] > steps, walk.counts
        assert walk.counts["done"] > steps / 2, walk.counts
        assert walk.is_warm(), list(walk.log)[-1]
    finally:
        walk.close()


def name_of(pair: tuple[Variant, str | None]) -> str:
    return f"{pair[0].name}-{pair[1]}"


@pytest.mark.parametrize("pair", SHORT_PAIRS, ids=name_of)
def test_a_short_walk(own_server: Server, database: str, pair: tuple[Variant, str | None], seed: int) -> None:
    walk_through(own_server, database, pair, seed, SHORT * pair[0].pace // 100, CRASH_OF_SHORT)


@pytest.mark.long
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_a_long_walk(
    own_server: Server,
    database: str,
    pair: tuple[Variant, str | None],
    seed: int,
    request: pytest.FixtureRequest,
) -> None:
    total = request.config.option.freshness_steps
    steps = total * pair[0].pace // sum(variant.pace for variant in VARIANTS)
    walk_through(own_server, database, pair, seed, steps, CRASH_OF_LONG)
