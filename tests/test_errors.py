"""The words of errors: what a file holds can make them neither long nor dangerous."""

import pytest

from modnet.errors import MESSAGE_LIMIT, MissingExtra, ModelFileError, ParameterMismatch, Problem
from modnet.words import itemised, legible


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("linear.weight", "linear.weight"),
        ("Größe", "Größe"),
        ("a\x1b[2J\nb", r"a\x1b[2J\nb"),
        ("\u202eb", r"\u202eb"),
        ("\ud800", r"\ud800"),
        ("x" * 81, "x" * 80 + "..."),
    ],
)
def test_legible(name, text):
    assert legible(name) == text


def test_itemised():
    assert itemised(["a", "b"], "- ") == ["- a", "- b"]
    assert itemised(map(str, range(1022)))[-2:] == ["19", "1,002 more"]


def test_the_message_of_a_model_file_error_is_bounded_and_moves_no_terminal():
    message = str(ModelFileError("a\x1b[2J.modnet", "one\n\x1b]0;title\x07" + 100_000 * "\u202e", "header"))
    assert message.startswith("a\\x1b[2J.modnet: header: one\n\\x1b]0;title\\x07\\u202e")
    assert len(message) == MESSAGE_LIMIT
    assert all(line.isprintable() for line in message.split("\n"))


def test_a_mismatch_of_many_arrays_shows_the_first_and_counts_the_others():
    names = [f"\x1b[2J{number}" for number in range(70_000)]
    error = ParameterMismatch("model.modnet", names, names, dict.fromkeys(names, ("(1,)", "(2,)")))
    assert error.missing == tuple(names)
    lines = str(error).split("\n")
    assert lines[1] == "  missing: \\x1b[2J0"
    assert lines[21:23] == ["  missing: 69,980 more", "  unexpected: \\x1b[2J0"]
    assert lines[-1] == "  mismatched: 69,980 more"


def test_the_message_of_a_problem_has_a_bounded_length():
    assert len(Problem("a", "x" * 10**6).message) == MESSAGE_LIMIT
    assert Problem("a", "x" * MESSAGE_LIMIT).message == "x" * MESSAGE_LIMIT


def test_only_what_is_listed_is_put_into_words():
    assert itemised(f"{number}" for number in range(1000))[-1] == "980 more"
    assert itemised([]) == []


def test_a_missing_extra_says_how_to_install_it():
    error = MissingExtra("numba", "modnet-wave", extra="fast")
    assert str(error) == "numba is not installed:  pip install 'modnet-wave[fast]'"
    assert (error.library, error.distribution, error.extra) == ("numba", "modnet-wave", "fast")
    error = MissingExtra("matplotlib", extra="plot", purpose="plotting")
    assert str(error) == "plotting needs matplotlib, which is not installed:  pip install 'modnet-core[plot]'"
    assert isinstance(error, ImportError)


LONG = "layers = [" + ", ".join(f'{{ type = "linear", out_features = {n} }}' for n in range(10, 20)) + "]"


@pytest.mark.parametrize("width", [20, 40, 48, 64, 80, 1000])
@pytest.mark.parametrize("value", range(10, 20))
def test_of_a_long_line_the_part_around_the_fault_is_shown(width, value):
    column = LONG.index(f"= {value} ") + 3
    problem = Problem("network", "wrong", file="a.toml", line=6, column=column, length=2, excerpt=LONG)
    _, line, carets = problem.text(width).split("\n")
    assert max(len(line), len(carets)) <= width
    assert line[carets.index("^") : carets.rindex("^") + 1] == str(value)
    assert line.startswith("     6 | ")
    assert ("…" in line) == (len(LONG) + 9 > width)


def test_a_fault_that_is_wider_than_the_screen_is_shown_from_its_beginning():
    problem = Problem("network", "wrong", file="a.toml", line=6, column=11, length=len(LONG) - 11, excerpt=LONG)
    _, line, carets = problem.text(40).split("\n")
    assert max(len(line), len(carets)) <= 40
    assert line[carets.index("^") :].startswith("{ type")


def test_without_a_screen_the_whole_line_is_shown():
    problem = Problem("network", "wrong", file="a.toml", line=6, column=11, length=3, excerpt=LONG)
    assert LONG in str(problem)
    assert str(problem) == problem.text()


def test_carets_are_below_a_value_after_tabs():
    problem = Problem("network", "wrong", file="a.toml", line=6, column=6, length=2, excerpt="\tx\t= 12")
    _, line, carets = str(problem).split("\n")
    assert carets.expandtabs().index("^") == line.expandtabs().index("12")
