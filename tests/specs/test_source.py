"""What a user reads when the file itself is at fault, and what a good file gives."""

from __future__ import annotations

import datetime
import gzip
import json
import math
import os
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from modnet.errors import MissingExtra, SpecError
from modnet.specs import source
from modnet.specs.json_positions import outline_json
from modnet.specs.positions import Outline
from modnet.specs.source import parse_source, read_source
from modnet.specs.syntax import json_problem, toml_problems
from modnet.specs.toml_positions import outline_toml

TOML = '[network]\ninput = [64]\nlayers = ["flatten"]\n'
VALUES = {"network": {"input": [64], "layers": ["flatten"]}}


def message(text: str, suffix: str = ".toml") -> str:
    with pytest.raises(SpecError) as caught:
        parse_source(text, suffix, "digits" + suffix)
    return str(caught.value)


def file_message(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_source(path)
    return str(caught.value).replace(str(path.parent) + os.sep, "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("digits.toml", TOML),
        ("digits.TOML", TOML),
        ("digits.json", json.dumps(VALUES)),
        ("digits.yaml", "network:\n  input: [64]\n  layers: [flatten]\n"),
        ("digits.yml", "network: {input: [64], layers: [flatten]}\n"),
    ],
)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_of_each_kind_gives_the_same_values(
    tmp_path: Path, name: str, text: str, bom: bytes, newline: str
) -> None:
    path = tmp_path / name
    path.write_bytes(bom + text.replace("\n", newline).encode())
    found = read_source(path)
    assert found.values == VALUES
    assert found.file == str(path)
    assert found.text == text
    assert found.locate(("network",)).line == 1


def test_a_path_may_be_a_string_and_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits.toml").write_text("a = ")
    with pytest.raises(SpecError, match=r"^digits\.toml:1:4: expected a value, found the end of the file"):
        read_source("digits.toml")


def test_positions_are_computed_once_and_only_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []

    def outline(text: str) -> Outline:
        texts.append(text)
        return outline_toml(text)

    monkeypatch.setattr("modnet.specs.source.outline_toml", outline)
    found = parse_source(TOML, ".toml")
    assert not texts
    assert found.locate(("network", "input"))[:3] == (2, 9, 4)
    assert found.locate(("network", "input"), key=True)[:3] == (2, 1, 5)
    assert texts == [TOML]


def test_dates_nan_and_infinity_are_left_to_the_checker() -> None:
    assert parse_source("a = 1979-05-27\nb = -inf", ".toml").values == {"a": datetime.date(1979, 5, 27), "b": -math.inf}
    values = parse_source('{"a": NaN, "b": Infinity}', ".json").values
    assert math.isnan(values["a"])
    assert values["b"] == math.inf
    assert parse_source("a: 2001-12-14", ".yaml").values == {"a": datetime.date(2001, 12, 14)}


def test_a_whole_message_shows_the_line_and_says_what_to_do() -> None:
    assert message("[network]\nactivation = relu\n") == (
        'digits.toml:2:14: expected a value, found "relu"\n'
        "     2 | activation = relu\n"
        "       |              ^^^^\n"
        "     put a string in quotes"
    )


# Of the messages below the line of the file and the mark under it are left out.


def without_excerpt(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line[7:9] != "| ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = True", '1:5: expected a value, found "True"\n     write true'),
        ("a = None", '1:5: expected a value, found "None"\n     TOML has no such value; leave the key out'),
        ("a = -.5", '1:5: expected a value, found "-.5"\n     write -0.5'),
        ("a = 1.", '1:6: expected the end of the line, found "."\n     write a digit after the point'),
        ("a = “x”", '1:5: expected a value, found "“"\n     write straight quotes: "'),
        ("a =\nb = 1", "1:4: expected a value, found the end of the line"),
        ("a = 1 b = 2", '1:7: expected the end of the line, found "b"'),
        ("a = [1 2]", '1:8: expected "," or "]" in the list, found "2"'),
        ('a = ["b"\n "c"]', '2:2: expected "," or "]" in the list, found the string "c"'),
        (
            'layers = [\n  "relu",\n\n[training]\nepochs = 1',
            '4:2: expected a value, found "training"\n'
            '     if this begins a table, the list before it is missing its "]"',
        ),
        ("[a\nb = 1", '1:3: expected "]" after the name of the table, found the end of the line'),
        ("[[a]\nb = 1", '1:4: expected "]]" after the name of the table, found "]"'),
        ("a: 1", '1:2: expected "=" after the key, found ":"\n     in TOML, write key = value'),
        ("a = 0,5  # half", '1:6: expected the end of the line, found ","\n     write a decimal point: 0.5'),
        ("a = { b = 0,001 }", '1:17: expected "=" after the key, found "}"\n     write a decimal point: 0.001'),
        ("a = [1] ,2", '1:9: expected the end of the line, found ","'),
        (
            'a = [{ "relu" }]',
            '1:15: expected "=" after the key, found "}"\n     write "relu" without braces, or { type = "relu" }',
        ),
        (
            'a = [[type = "relu"]]',
            '1:7: expected a value, found "type"\n     write a table in braces, as in { type = "linear" }',
        ),
        ("= 1", '1:1: expected a key, a [table] or a comment, found "="'),
        ("a. = 1", '1:4: expected a key, found "="'),
        ('a = 1\nb = "x\nc = 1', "2:5: the string that begins here has no closing quote"),
        ("a = 'x\nc = 1", "1:5: the string that begins here has no closing quote"),
        ('a = """x\nc = 1', "1:5: the string that begins here has no closing quote"),
        (
            'path = "C:\\data\\x.csv"',
            "1:11: this is not a valid escape; a backslash in a string begins an escape such as \\n\n"
            "     write a backslash as \\\\, or put the string in single quotes",
        ),
        ('a = "\x07"', "1:6: the character U+0007 is not allowed here; write it as an escape"),
        ("a = 2021-02-30", '1:5: there is no such date or time as "2021-02-30"'),
        ("a = 1\n\na = 2", "3:1: a: is given twice; the first is on line 1"),
        ("[a.b]\nc = 1\n[a.b]", "3:4: a.b: is given twice; the first is on line 1"),
        ("a = {b = 1, b = 2}", "1:13: a.b: is given twice; the first is on line 1"),
        (
            "a = 1\na.b = 2",
            "2:3: a.b: cannot be added here: a key or table before it has the same name, or is already complete",
        ),
        ("a = 1" + "0" * 5000, "1:5: a: this number is too long: it has 5001 digits"),
    ],
)
def test_faults_of_toml(text: str, expected: str) -> None:
    assert without_excerpt(message(text)) == "digits.toml:" + expected
    assert without_excerpt(message(text.replace("\n", "\r\n"))) == "digits.toml:" + expected


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="TOML 1.1 allows both")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a = { b = 1\n}",
            '1:12: expected "," or "}" in the table, found the end of the line\n'
            "     a table in braces has to be on one line; a list may span several",
        ),
        ("a = { b = 1, }", '1:14: expected a key, found "}"\n     remove the comma before it'),
    ],
)
def test_faults_of_a_toml_table_in_braces(text: str, expected: str) -> None:
    assert without_excerpt(message(text)) == "digits.toml:" + expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,}', "1:8: JSON allows no comma after the last item; remove it"),
        ('{"a": [1, 2,\n]}', "1:12: JSON allows no comma after the last item; remove it"),
        ('{"a" 1}', '1:6: expected ":" after the key, found "1"'),
        ('{"a": 1\n "b": 2}', '2:2: expected "," or the end of the list or table, found the string "b"'),
        ("{a: 1}", '1:2: expected a key in double quotes, found "a"'),
        (
            "{'a': 1}",
            "1:2: expected a key in double quotes, found the string 'a'\n     JSON strings need double quotes",
        ),
        ('{"a": // c\n1}', '1:7: expected a value, found "/"\n     JSON has no comments; TOML has'),
        ('{"a": True}', '1:7: expected a value, found "True"\n     write true'),
        ('{"a": None}', '1:7: expected a value, found "None"\n     write null'),
        ('{"a": .5}', '1:7: expected a value, found ".5"\n     write 0.5'),
        ('{"a": 1', '1:8: expected "," or the end of the list or table, found the end of the file'),
        ('{"a": 1} {}', '1:10: expected the end of the file, found "{"'),
        ('{"a": "x\n"}', "1:7: the string that begins here has no closing quote"),
        ('{"a": "x', "1:7: the string that begins here has no closing quote"),
        ('{"a": "\t"}', "1:8: the character U+0009 is not allowed here; write it as an escape"),
        (
            '{"a": "C:\\data"}',
            "1:10: this is not a valid escape; a backslash in a string begins an escape such as \\n\n"
            "     write a backslash as \\\\",
        ),
        ('{"a": "\\ud800"}', "1:7: a: half of a surrogate pair (\\ud800 to \\udfff) is not a character"),
        ('{"\\ud800": 1}', '1:2: "\\ud800": half of a surrogate pair (\\ud800 to \\udfff) is not a character'),
        ('{"a": ' + "1" * 5000 + "}", "1:7: a: this number is too long: it has 5000 digits"),
    ],
)
def test_faults_of_json(text: str, expected: str) -> None:
    assert without_excerpt(message(text, ".json")) == "digits.json:" + expected


def test_every_second_key_of_a_json_table_is_reported() -> None:
    text = '{\n"a": {"x": 1, "x": 2},\n"b": 1,\n"b": {"c": 3},\n"a": {"x": 4}\n}'
    assert without_excerpt(message(text, ".json")).split("\n") == [
        "digits.json:2:15: a.x: is given twice; the first is on line 2",
        "digits.json:4:1: b: is given twice; the first is on line 3",
        "digits.json:5:1: a: is given twice; the first is on line 2",
        "3 problems",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: b: c",
            '1:5: a ":" is not allowed here\n     check the indentation; a string that contains ": " needs quotes',
        ),
        ("a:\n\t- b", "2:1: a tab is not allowed here; indent YAML with spaces"),
        ("a: [1, 2", '1:9: expected "," or "]" in the list, found the end of the file'),
        ("a: 'x", "1:4: the string that begins here has no closing quote"),
        ("a: b\nc\nd: 1", '2:1: expected ":" after this key'),
        ("a: @x", '1:4: "@" cannot begin a value; put the string in quotes'),
        ("a: }", '1:4: expected a value, found "}"'),
        (
            "a:\n  b: 1\n c: 2",
            '3:2: expected the next item or key of the block, found "c"\n'
            "     check the indentation: items and keys of one block begin in the same column",
        ),
        (
            'a: "\\q"',
            "1:5: this is not a valid escape; a backslash in a string begins an escape such as \\n\n"
            "     write a backslash as \\\\",
        ),
        ("a: \x07", "1:4: the character U+0007 is not allowed here; write it as an escape"),
        ("a: !<x y", "1:7: not valid YAML: while parsing a tag expected '>' but found ' '"),
        ("a: 1\nb: 2\na: 3", "3:1: a: is given twice; the first is on line 1"),
        ("a:\n  - b: 1\n    b: 2", "3:5: a[0].b: is given twice; the first is on line 2"),
        ("a:\n  1: 2", "2:3: a: expected a string as key, found 1\n     put it in quotes"),
        ("[a]: 2", '1:1: expected a string as key, found ["a"]'),
        ("a: *b", "1:4: a: there is no anchor &b before this"),
        ("a: &a [*a]", "1:8: a[0]: this alias is inside &a, the value that it refers to"),
        ("<<: 3", '1:5: "<<": expected a table to merge, found 3'),
        (
            "a: !!python/object:os.system x",
            "1:4: a: a tag that begins with ! is not allowed here\n     remove it; a spec has plain values only",
        ),
        (
            "a: !!set {b}",
            "1:4: a: a tag that begins with ! is not allowed here\n     remove it; a spec has plain values only",
        ),
        ("a: 2020-13-45", "1:4: a: looks like a number or a date, but is not a valid one\n     put a string in quotes"),
        (
            "a: " + "1" * 5000,
            "1:4: a: looks like a number or a date, but is not a valid one\n     put a string in quotes",
        ),
        ("a: !!int", "1:4: a: looks like a number or a date, but is not a valid one\n     put a string in quotes"),
        ("a: '\U0001f600'\nb: \"\\U00110000\"", "2:2: not valid YAML: chr() arg not in range(0x110000)"),
        ('a: "\\ud800"', "1:4: a: half of a surrogate pair (\\ud800 to \\udfff) is not a character"),
        ("%YAML 1.1\n---\na: on", "1:1: expected YAML 1.2, found another version\n     remove this line"),
        (
            "a: 1\n---\nb: 2",
            "2:1: expected one document, but a second begins here\n     keep only the spec",
        ),
    ],
)
def test_faults_of_yaml(text: str, expected: str) -> None:
    assert without_excerpt(message(text, ".yaml")) == "digits.yaml:" + expected


def test_every_faulty_key_of_a_yaml_file_is_reported() -> None:
    assert without_excerpt(message("a: 1\ntrue: 2\na: 3\n~: 4", ".yaml")).split("\n") == [
        "digits.yaml:2:1: expected a string as key, found true",
        "     put it in quotes",
        "digits.yaml:3:1: a: is given twice; the first is on line 1",
        "digits.yaml:4:1: expected a string as key, found nothing",
        "     put it in quotes",
        "3 problems",
    ]


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_of_very_many_faulty_keys_the_first_hundred_are_reported(suffix: str) -> None:
    text = "{" + ",\n".join(f'"k{i // 2}": 1' for i in range(400)) + "}"
    with pytest.raises(SpecError) as caught:
        parse_source(text, suffix)
    assert [problem.line for problem in caught.value.problems] == list(range(2, 202, 2))


def test_aliases_that_stand_for_very_many_values_are_refused() -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for name, before in ("ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 10)}]")
    found = without_excerpt(message("\n".join(lines), ".yaml"))
    assert found == "digits.yaml:5:36: e[7]: the aliases of this file expand to more than 100,000 values"


def test_yaml_without_ruamel_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    with pytest.raises(MissingExtra, match=r"^reading a YAML spec needs .* pip install 'modnet-core\[yaml\]'$"):
        parse_source("a: 1", ".yaml")


def nested(levels: int) -> dict[str, str]:
    """Texts whose innermost value is so many levels deep, in as many ways as there are."""
    return {
        "list.toml": "a = " + "[" * levels + "]" * levels,
        "table.toml": "{b=".join(["a = "] + [""] * (levels - 1)) + "1" + "}" * (levels - 1),
        "dotted.toml": "a." * (levels - 1) + "a = 1",
        "header.toml": "[" + "a." * (levels - 1) + "a]",
        "list.json": '{"a": ' + "[" * levels + "]" * levels + "}",
        "table.json": '{"a":' * levels + "1" + "}" * levels,
        "flow.yaml": "a: " + "[" * levels + "]" * levels,
        "block.yaml": "- " * levels + "1",
    }


@pytest.mark.parametrize("name", nested(1))
@pytest.mark.parametrize("levels", [65, 1000, 20_000])
def test_deep_nesting_is_refused_with_its_place(name: str, levels: int) -> None:
    text = nested(levels)[name]
    with pytest.raises(SpecError) as caught:
        parse_source(text, "." + name.partition(".")[2], name)
    (problem,) = caught.value.problems
    assert problem.message == "nested more than 64 levels deep"
    assert problem.line == 1
    assert problem.column < 400
    if name.startswith(("list", "flow")):
        assert problem.column == text.index("[") + 65


@pytest.mark.parametrize("name", [name for name in nested(1) if name != "block.yaml"])
def test_sixty_four_levels_are_allowed(name: str) -> None:
    suffix = "." + name.partition(".")[2]
    text = nested(64 if name in ("dotted.toml", "header.toml", "table.toml", "table.json") else 63)[name]
    assert parse_source(text, suffix).values


def test_aliases_cannot_hide_deep_nesting() -> None:
    text = "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40
    assert without_excerpt(message(text, ".yaml")) == "digits.yaml:2:44: nested more than 64 levels deep"


@pytest.mark.parametrize(("parser", "text"), [("json", '{"a": 1}'), ("tomllib", "a = 1")])
def test_a_deep_stack_of_callers_is_not_blamed_on_the_file(
    monkeypatch: pytest.MonkeyPatch, parser: str, text: str
) -> None:
    def loads(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(f"{parser}.loads", loads)
    with pytest.raises(RecursionError):
        parse_source(text, ".json" if parser == "json" else ".toml")


@pytest.mark.parametrize("suffix", [".toml", ".json", ".yaml"])
@pytest.mark.parametrize("text", ["", " \n\n", "\ufeff\r\n"])
def test_an_empty_file(suffix: str, text: str) -> None:
    assert message(text, suffix) == f"digits{suffix}: the file is empty; expected a [network] table"


@pytest.mark.parametrize("text", ["# nothing yet\n", "---\n", "null"])
def test_a_yaml_file_with_nothing_in_it_is_empty_too(text: str) -> None:
    assert message(text, ".yaml") == "digits.yaml: the file is empty; expected a [network] table"


@pytest.mark.parametrize(
    ("text", "suffix", "found"),
    [
        ("\n[1, 2]", ".json", "2:1: expected a table at the top level, found a list"),
        ('"a"', ".json", "1:1: expected a table at the top level, found a string"),
        ("3", ".json", "1:1: expected a table at the top level, found 3"),
        ("- a\n- b", ".yaml", "1:1: expected a table at the top level, found a list"),
        ("relu", ".yaml", "1:1: expected a table at the top level, found a string"),
    ],
)
def test_the_top_level_is_a_table(text: str, suffix: str, found: str) -> None:
    assert without_excerpt(message(text, suffix)) == f"digits{suffix}:{found}"


# Faults of the file as a file.


def test_no_such_file_suggests_near_names(tmp_path: Path) -> None:
    for name in ("digits.toml", "digit.json", "penguins.toml", "digits.npz"):
        (tmp_path / name).touch()
    found = file_message(tmp_path / "digts.toml")
    assert found == 'digts.toml: no such file; did you mean "digits.toml" or "penguins.toml" or "digit.json"?'
    assert file_message(tmp_path / "xyz.toml") == "xyz.toml: no such file"


def test_no_such_folder(tmp_path: Path) -> None:
    found = file_message(tmp_path / "specs" / "digits.toml")
    assert found.startswith("digits.toml: no such file; the folder ")


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "specs").touch()
    assert "digits.toml: no such file" in file_message(tmp_path / "specs" / "digits.toml")


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert "no such file" in file_message(tmp_path / "a\0b.toml")
    assert "cannot be read: file name too long" in file_message(tmp_path / ("a" * 5000 + ".toml"))


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "digits.toml").mkdir()
    found = file_message(tmp_path / "digits.toml")
    assert found == "digits.toml: this is a folder; expected a .toml, .json, .yaml or .yml file"


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "digits.toml").touch()
    monkeypatch.setattr(Path, "open", refuse)
    assert file_message(tmp_path / "digits.toml") == "digits.toml: cannot be read: permission denied"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("digits.txt", 'digits.txt: unknown kind of file ".txt"; expected .toml, .json, .yaml or .yml'),
        ("digits", "digits: no suffix; expected .toml, .json, .yaml or .yml"),
    ],
)
def test_an_unknown_suffix(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / name).write_text(TOML)
    assert file_message(tmp_path / name) == found
    with pytest.raises(SpecError, match=r"expected \.toml, \.json, \.yaml or \.yml"):
        parse_source(TOML, Path(name).suffix)


def test_a_file_of_absurd_size(tmp_path: Path) -> None:
    path = tmp_path / "digits.toml"
    with path.open("wb") as stream:
        stream.truncate(source.LARGEST + 1)
    found = file_message(path)
    assert found == "digits.toml: larger than 16 MiB; a spec is a short text, put data into separate files"


def model_file(path: Path) -> None:
    path.write_bytes(b"\x84\xa6modnet\x01")


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr("weight.npy", b"\x93NUMPY")


@pytest.mark.parametrize(
    ("write", "byte", "kind"),
    [
        (model_file, "0x84 at offset 0", "a modnet model file"),
        (archive, "0x00 at offset 5", "a zip archive (as .npz files are)"),
        (lambda path: path.write_bytes(gzip.compress(b"a")), "0x8b at offset 1", "a file compressed with gzip"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "0x93 at offset 0", "an array in numpy's .npy format"),
        (lambda path: path.write_text(TOML, encoding="utf-16"), "0xff at offset 0", "text in UTF-16"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, write: Any, byte: str, kind: str) -> None:
    write(tmp_path / "digits.toml")
    found = file_message(tmp_path / "digits.toml")
    assert found.split("\n")[0] == f"digits.toml: not a text file in UTF-8: byte {byte}; this is {kind}"
    write(tmp_path / "digits.xyz")
    assert file_message(tmp_path / "digits.xyz").split("\n")[0] == f"digits.xyz: this is {kind}, not a spec"


def test_for_a_model_file_the_command_that_shows_it_is_named(tmp_path: Path) -> None:
    model_file(tmp_path / "digits.modnet")
    found = file_message(tmp_path / "digits.modnet")
    assert found == (
        "digits.modnet: this is a modnet model file, not a spec\n     to show its content: modnet inspect digits.modnet"
    )


def test_bytes_that_are_no_utf_8_are_placed(tmp_path: Path) -> None:
    path = tmp_path / "digits.toml"
    path.write_bytes("[network]\r\n# é, Größe\r\n".encode() + "# für\r\n".encode("latin-1"))
    assert file_message(path) == (
        "digits.toml:3:4: not a text file in UTF-8: byte 0xfc at offset 29\n"
        "     3 | # f�r\n"
        "       |    ^\n"
        "     save the file as UTF-8"
    )
    path.write_bytes(b"a = 1\nb = \x00\n\xff")
    assert file_message(path).startswith("digits.toml:2:5: not a text file in UTF-8: byte 0x00 at offset 10\n")


# Readers of further kinds.


def test_the_first_reader_that_knows_a_file_gives_its_values_without_places(tmp_path: Path) -> None:
    path = tmp_path / "digits.dhall"
    path.write_bytes(b"\xff\x00")
    asked: list[tuple[str, Path]] = []

    def no(path: Path) -> None:
        asked.append(("no", path))

    def yes(path: Path) -> dict[str, Any]:
        asked.append(("yes", path))
        return VALUES

    found = read_source(path, (no, yes, no))
    assert found.values == VALUES
    assert (found.file, found.text) == (str(path), "")
    assert found.locate(("network",)) == found.locate((), key=True) == (0, 0, 0, "")
    assert asked == [("no", path), ("yes", path)]


def test_readers_are_not_asked_for_the_kinds_of_the_core_nor_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "digits.toml").write_text(TOML)

    def reader(path: Path) -> dict[str, Any]:
        raise AssertionError(path)

    assert read_source(tmp_path / "digits.toml", [reader]).values == VALUES
    with pytest.raises(SpecError, match="no such file"):
        read_source(tmp_path / "digits.dhall", [reader])


def test_a_file_that_no_reader_knows_is_of_an_unknown_kind(tmp_path: Path) -> None:
    (tmp_path / "digits.dhall").write_text(TOML)
    with pytest.raises(SpecError, match=r"unknown kind of file \"\.dhall\""):
        read_source(tmp_path / "digits.dhall", [lambda path: None])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1], "expected a table from the plugin that reads this kind of file, found a list"),
        ({"a": "\udfff"}, "a: half of a surrogate pair (\\ud800 to \\udfff) is not a character"),
    ],
)
def test_what_a_reader_gives_is_held_to_the_same_rules(tmp_path: Path, values: Any, found: str) -> None:
    path = tmp_path / "digits.dhall"
    path.touch()
    with pytest.raises(SpecError) as caught:
        read_source(path, [lambda path: values])
    assert str(caught.value) == f"{path}: {found}"
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(SpecError, match="nested more than 64 levels deep"):
        read_source(path, [lambda path: endless])


# Parsers of other Pythons word their errors in other ways.


def test_an_error_of_tomllib_in_unknown_words_keeps_its_place() -> None:
    text = "a = 1\nb = 2\n"
    error = tomllib.TOMLDecodeError("Something is odd (at line 2, column 3)")
    (problem,) = toml_problems(error, outline_toml(text), "digits.toml")
    assert without_excerpt(str(problem)) == "digits.toml:2:3: not valid TOML: something is odd"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Something is odd", "not valid JSON: something is odd"),
        ("Illegal trailing comma before end of object", "JSON allows no comma after the last item; remove it"),
    ],
)
def test_an_error_of_json_in_other_words_keeps_its_place(words: str, expected: str) -> None:
    text = '{"a": 1\n,}'
    problem = json_problem(json.JSONDecodeError(words, text, 8), outline_json(text), "digits.json")
    assert without_excerpt(str(problem)) == f"digits.json:2:1: {expected}"
