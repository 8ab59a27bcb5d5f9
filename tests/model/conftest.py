"""What several tests of model files have."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NOBODY = 65534


@pytest.fixture
def bound_folder(tmp_path):
    """A folder of a user whom permissions bind. Root, whom they do not, is another user as long as the test runs."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are other here")
    if os.geteuid():
        yield tmp_path
        return
    with TemporaryDirectory() as name:  # others may not enter the folders of pytest
        os.chown(name, NOBODY, NOBODY)
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)
            os.setegid(0)
