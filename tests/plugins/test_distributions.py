"""Which versions a requirement lets in, held against `packaging`, which pip goes by."""

import random

import pytest

import modnet
from modnet.plugins.distributions import is_met, order, too_old, too_old_for

SORTED = ["0.9", "1.0.dev1", "1.0a1.dev2", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.2", "1.10", "2"]


def test_versions_are_sorted():
    shuffled = random.Random(0).sample(SORTED, len(SORTED))
    assert sorted(shuffled, key=order) == SORTED


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0.0"), ("v1.2", "1.2"), ("1.0rc1", "1.0-RC.1"), ("1.0c2", "1.0rc2"), ("1.0+local", "1.0")],
)
def test_versions_that_are_the_same(one, other):
    assert order(one) == order(other)


def test_what_is_no_version():
    with pytest.raises(ValueError, match="'yesterday' is no version"):
        order("yesterday")


SPECIFIERS = [
    *(f"{operator}{version}" for operator in (">=", "<=", "==", "!=") for version in ("1.0", "1.0rc1", "1.2", "2")),
    *("~=1.0", "~=1.0.1", "==1.*", "==1.0.*", "!=1.*", "==1.10.*"),
]


@pytest.mark.parametrize("specifier", SPECIFIERS)
def test_specifiers_mean_what_pip_takes_them_for(specifier):
    packaging = pytest.importorskip("packaging.specifiers", reason="packaging is not installed")
    judge = packaging.SpecifierSet(specifier, prereleases=True)
    for version in SORTED:
        assert is_met(specifier, version) == judge.contains(version), version


@pytest.mark.parametrize("specifier", ["", "1.0", ">=yesterday", "@ https://example.org/modnet.whl"])
def test_what_cannot_be_read_is_no_complaint(specifier):
    assert is_met(specifier, "1.0")


def test_a_candidate_is_older_than_its_release(monkeypatch):
    monkeypatch.setattr(modnet, "__version__", "1.0rc1")
    assert too_old("1.0") == "needs modnet-core 1.0 or newer, and this is 1.0rc1:  pip install --upgrade modnet-core"
    assert not too_old("1.0rc1")
    assert not too_old("0.9")


@pytest.mark.parametrize(
    ("required", "complaint"),
    [
        (["modnet-core>=99.1"], "99.1 or newer"),
        (["modnet-core<100,>=99.1"], "99.1 or newer"),
        (["modnet-core (>=99.1)"], "99.1 or newer"),
        (["Modnet.Core[cli,yaml] >= 99.1"], "99.1 or newer"),
        (["numpy>=9", "modnet-core>=0.0.1", "modnet_core>=99.1; python_version > '3'"], "99.1 or newer"),
        (["modnet-core>=98,>=99.1"], "99.1 or newer"),
        (["modnet-core~=99.1"], "~=99.1"),
        (["modnet-core==99.*"], "==99.*"),
        (["modnet-core<0.0.9, >=0.0.1"], "<0.0.9,>=0.0.1"),
    ],
)
def test_what_a_distribution_needs(monkeypatch, required, complaint):
    monkeypatch.setattr("importlib.metadata.requires", lambda name: required)
    assert too_old_for("modnet-wave").startswith(
        f"; it needs modnet-core {complaint}, and this is {modnet.__version__}:"
    )


@pytest.mark.parametrize(
    "required",
    [
        None,
        [],
        ["modnet-core"],
        ["modnet-core>=0.0.1,<99"],
        ["modnet-corelation>=99"],
        ["modnet-core[cli]>=99; extra == 'test'"],
        ["numpy>=99"],
        ["modnet-core @ https://example.org/modnet.whl"],
    ],
)
def test_nothing_to_say(monkeypatch, required):
    monkeypatch.setattr("importlib.metadata.requires", lambda name: required)
    assert too_old_for("modnet-wave") == ""


def test_a_distribution_that_is_not_there_needs_nothing():
    assert too_old_for("no-such-distribution") == ""
