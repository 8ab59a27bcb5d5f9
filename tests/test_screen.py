"""What is wider than a terminal is broken, moved or cut, and nothing is anywhere else."""

import io
import os

import pytest

from modnet.screen import NARROWEST, fitted, folded, labelled, short, width_of, with_bars

ROWS = [
    ("node", "type", "output", "parameters", "multiply-adds"),
    ("standardize_1", "standardize", "(10,)", "0", "0"),
    ("linear_1", "linear", "(32,)", "352", "320"),
    ("total", "", "", "352", "320"),
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("columns", "width"), [("48", 48), ("10", NARROWEST), ("", 80), ("0", 80), ("x", 80), ("²", 80)]
)
def test_a_terminal_is_as_wide_as_columns_says(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    assert width_of(Terminal()) == width


@pytest.mark.parametrize("stream", [io.StringIO(), None, object()])
def test_what_is_no_terminal_has_no_width_whatever_columns_says(monkeypatch, stream):
    monkeypatch.setenv("COLUMNS", "48")
    assert width_of(stream) is None


def test_a_closed_stream_has_no_width():
    stream = Terminal()
    stream.close()
    stream.isatty = lambda: stream.tell()  # raises ValueError
    assert width_of(stream) is None


def test_lines_are_broken_between_words():
    text = "one two three four five six seven eight nine\n  indented words that go on and on and on"
    assert folded(text, None) == text
    assert folded(text, 30).split("\n") == [
        "one two three four five six",
        "  seven eight nine",
        "  indented words that go on",
        "    and on and on",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "next: modnet predict penguins.modnet NEW.csv --plugin somewhere/mine.py",
        "  modnet train penguins.toml --set training.epochs=3",
        "/a/path/that/is/wider/than/the/screen-but-one-word",
    ],
)
def test_a_command_and_a_long_word_stay_whole(line):
    assert folded(line, 30) == line


def test_a_text_is_under_its_beginning():
    assert labelled("needs", "a b c d e f g h i j", 8, None) == "needs   a b c d e f g h i j"
    assert labelled("needs", "one two three four five six seven", 8, 32) == "\n".join(
        ["needs   one two three four five", "        six seven"]
    )
    assert labelled("a_long_label", "one two three four five", 14, 30) == "a_long_label\n  one two three four five"


@pytest.mark.parametrize("width", [24, 30, 40, 48, 57, 58, 64, 80])
def test_no_line_of_a_table_is_wider_and_every_value_is_there(width):
    lines = fitted(ROWS, 3, width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).replace("…", " ").split()
    assert {"linear_1", "(10,)", "(32,)", "352", "320"} <= set(words)
    assert "" not in (lines[0], lines[-1])


def test_a_table_that_fits_and_one_without_a_screen_are_the_same():
    assert fitted(ROWS, 3, None) == fitted(ROWS, 3, 80)
    assert fitted(ROWS, 3, None)[0] == "node           type         output  parameters  multiply-adds"


def test_headings_are_broken_before_columns_go_below():
    rows = [("", "mean of all rows", "n"), ("loss", "0.5", "3")]
    assert fitted(rows, 1, 25) == ["      mean of all rows  n", "loss               0.5  3"]
    assert fitted(rows, 1, 24) == ["      mean", "        of", "       all", "      rows  n", "loss   0.5  3"]


def test_remarks_go_below_their_rows():
    rows = [("", "difference"), ("accuracy", "0.1"), ("loss", "0.2")]
    remarks = ["", "A is better", ""]
    assert fitted(rows, 1, None, remarks)[1] == "accuracy         0.1   A is better"
    assert fitted(rows, 1, 24, remarks) == [
        "          difference",
        "accuracy         0.1",
        "    A is better",
        "loss             0.2",
    ]


def test_names_are_cut_in_their_middle():
    assert short("encoder.block_1.attention", 13) == "encode…ention"
    assert short("short", 13) == "short"
    rows = [("array", "largest difference"), ("encoder.block_1.attention.weight", "0.123456789")]
    assert max(map(len, fitted(rows, 1, 30))) <= 30


def test_bars_are_shortened_alike_and_left_out_where_there_is_no_room():
    lines, bars = ["a  1", "b  2"], ["#" * 20, "#" * 10]
    assert with_bars(lines, bars, None) == ["a  1  " + "#" * 20, "b  2  " + "#" * 10]
    assert with_bars(lines, bars, 16) == ["a  1  " + "#" * 10, "b  2  " + "#" * 5]
    assert with_bars(lines, bars, 8) == lines
