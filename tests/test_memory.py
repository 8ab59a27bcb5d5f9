"""How much memory there is, and the refusal of what needs more."""

import pytest

import modnet
from modnet import memory


@pytest.fixture
def gigabyte(monkeypatch):
    """A process that can have 10^9 bytes."""
    monkeypatch.setattr(memory, "limit", lambda: 10**9)


def test_what_the_system_tells():
    most = memory.limit()
    assert most is None or most > memory.SMALL


def test_the_least_of_several_limits_counts(monkeypatch, tmp_path):
    container = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_CONTAINER_LIMIT", container)
    without = memory.limit()
    container.write_text("max\n")
    assert memory.limit() == without
    container.write_text("100000\n")
    assert memory.limit() == 100_000


def test_what_fits_and_what_does_not(gigabyte):
    memory.require(10**9, "this")
    message = "this needs 1.5 GB of memory; this process can have 1 GB; take less"
    with pytest.raises(modnet.TooLarge, match=message) as caught:
        memory.require(1_500_000_000, "this", "take less")
    assert isinstance(caught.value, MemoryError)


def test_a_system_that_tells_nothing_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "limit", lambda: None)
    memory.require(2**70, "this")


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 B"), (1500, "1.5 kB"), (4 * 10**12, "4 TB"), (2**70, "more than 10^21 bytes")]
)
def test_numbers_of_bytes(count, text):
    assert f"this needs {text} of memory, which is not available" in str(memory.too_large(count, "this"))
