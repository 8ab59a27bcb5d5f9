import os
import shlex
import shutil

import numpy as np
import pytest

COMPILER = shutil.which((shlex.split(os.environ.get("CC", "")) or ["cc"])[0]) or shutil.which("gcc")


def pytest_collection_modifyitems(items):
    if not COMPILER:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="there is no C compiler"))


@pytest.fixture(autouse=True)
def loud_arithmetic():
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@pytest.fixture(scope="session", autouse=True)
def cache_of_these_tests(tmp_path_factory):
    """Compiled once for all tests, in a cache of their own."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before
