from importlib import resources

import pytest


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("host", "*.c"),
        ("host", "*.h"),
        ("sql", "*.sql"),
        ("examples", "*.sql"),
        ("kernels", "*.py"),
        ("explore", "page.*"),
        (".", "py.typed"),
    ],
)
def test_a_wheel_carries_its_data_files(folder: str, name: str) -> None:
    with resources.as_file(resources.files("ruattn_fdw")) as package:
        assert list((package / folder).glob(name))
