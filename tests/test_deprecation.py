"""Names and options that will go work, and warn at the line that uses them."""

import inspect
import warnings

import pytest

import modnet
from modnet.deprecation import NAMES, Renamed, renamed_option


@pytest.fixture
def renamed(monkeypatch):
    monkeypatch.setitem(NAMES, "restore", Renamed("load", "0.2"))


def test_an_old_name_is_the_new_thing(renamed):
    with pytest.warns(DeprecationWarning, match=r"modnet\.restore is called modnet\.load since modnet 0\.2") as caught:
        assert modnet.restore is modnet.load
    assert caught[0].filename == __file__


def test_an_old_name_is_imported(renamed):
    with pytest.warns(DeprecationWarning, match="modnet.load") as caught:
        from modnet import restore
    assert restore is modnet.load
    assert caught[0].filename == __file__


def test_an_old_name_is_shown_nowhere(renamed):
    assert "restore" not in modnet.__all__
    assert "restore" not in dir(modnet)


def test_a_name_that_never_was():
    with pytest.raises(AttributeError, match=r"module 'modnet' has no attribute 'laod'.*load"):
        modnet.laod  # noqa: B018
    assert not hasattr(modnet, "__path_of_nothing__")


def test_every_row_leads_to_a_public_name():
    assert {row.new for row in NAMES.values()} <= set(modnet.__all__)
    assert not set(NAMES) & set(modnet.__all__)


@renamed_option("checksum", "verify", since="0.2")
def read(path, *, verify=True):
    """Reads."""
    return path, verify


def test_an_old_option_is_taken():
    with pytest.warns(DeprecationWarning, match=r"read: checksum is called verify since modnet 0\.2") as caught:
        assert read("a", checksum=False) == ("a", False)
    assert caught[0].filename == __file__


def test_the_new_option_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("a", verify=False) == ("a", False)
    assert read.__doc__ == "Reads."
    assert list(inspect.signature(read).parameters) == ["path", "verify"]


def test_both_options():
    with pytest.raises(TypeError, match="checksum is the old name of verify; give verify alone"):
        read("a", checksum=False, verify=True)
