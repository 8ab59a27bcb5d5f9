"""Versions of distributions, as far as advice goes by them."""

import random

import pytest

from modnet.plugins.distributions import is_older

SORTED = ["0.9", "1", "1.0.1", "1.2", "1.10", "v2.0"]


def test_versions_are_compared_by_their_numbers():
    for index, version in enumerate(SORTED):
        assert [is_older(other, version) for other in SORTED] == [True] * index + [False] * (len(SORTED) - index)


def test_releases_are_ordered_as_pip_orders_them():
    packaging = pytest.importorskip("packaging.version", reason="packaging is not installed")
    rng = random.Random(0)
    versions = [".".join(str(rng.randrange(12)) for _ in range(rng.randrange(1, 4))) for _ in range(40)]
    for one in versions:
        for other in versions:
            assert is_older(one, other) == (packaging.Version(one) < packaging.Version(other)), (one, other)


@pytest.mark.parametrize(("version", "other"), [("1.0", "1.0.0"), ("1.0rc1", "1.0"), ("yesterday", "1.0"), ("", "1")])
def test_what_is_not_older(version, other):
    assert not is_older(version, other)
