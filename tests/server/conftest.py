import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ruattn_fdw.server.installation import Installation
from ruattn_fdw.server.server import Server


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that the server's account can enter; pytest's own tmp_path is private."""
    folder = Path(tempfile.mkdtemp(prefix="ruattn-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def installation(server: Server) -> Installation:
    return server.installation
