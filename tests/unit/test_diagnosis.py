"""What the diagnosis says of libraries, versions and other extensions that do not go together."""

import sys

import pytest
from threadpoolctl import threadpool_info

from ruattn_fdw.diagnosis import libraries, server


def test_a_numpy_without_a_fast_blas(monkeypatch):
    assert threadpool_info()
    monkeypatch.setattr("threadpoolctl.threadpool_info", list)
    assert (libraries.blas().ok, libraries.blas().advice) == (False, libraries.BLAS_ADVICE)


def test_a_library_that_is_not_installed():
    assert not libraries.installed("no-such-library").ok


def test_a_package_that_was_replaced_while_the_session_runs():
    finding = server._package("0.1.0", "0.2.0")
    assert (finding.ok, finding.value) == (False, "0.1.0, replaced by 0.2.0 since this session started")
    assert server._package("0.2.0", "0.2.0").ok


@pytest.mark.parametrize(("minor", "fits"), [(sys.version_info[1], True), (2, False)])
def test_plpython_must_run_the_same_python(monkeypatch, tmp_path, minor, fits):
    (tmp_path / "plpython3.so").write_bytes(b"\0libpython3.%d.so.1.0\0" % minor)
    monkeypatch.setattr("ruattn_fdw.host_api.library_folder", lambda: str(tmp_path))
    assert server._plpython().ok == fits
