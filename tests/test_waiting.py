"""Who listens is told of what takes long."""

import pytest

from modnet.waiting import announce, listening, watched


@pytest.fixture(autouse=True)
def nothing_announced(monkeypatch):
    monkeypatch.setattr("modnet.waiting._announced", set())


class Heard(list):
    def announced(self, text):
        self.append(text)

    def advanced(self, what, done, whole):
        self.append((what, done, whole))


def test_nobody_listens_by_default():
    announce("compiling")
    assert list(watched("ab", "letters", 2)) == ["a", "b"]


def test_the_same_thing_is_announced_once():
    heard = Heard()
    announce("nobody hears this")
    with listening(heard):
        for _ in range(2):
            announce("nobody hears this")
    assert heard == ["nobody hears this"]


def test_the_innermost_listener_is_told():
    outer, inner = Heard(), Heard()
    with listening(outer):
        announce("outside")
        with listening(inner):
            announce("inside")
            assert list(watched("ab", "letters", 2)) == ["a", "b"]
        announce("outside again")
    announce("nobody")
    assert outer == ["outside", "outside again"]
    assert inner == ["inside", ("letters", 1, 2), ("letters", 2, 2)]


def test_a_loop_that_is_left_early_is_over():
    heard = Heard()
    with listening(heard):
        for letter in watched("abc", "letters", 3):
            if letter == "b":
                break
    assert heard == [("letters", 1, 3), ("letters", 3, 3)]
