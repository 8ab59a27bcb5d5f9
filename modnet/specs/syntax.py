"""Turns a parser's error into a problem in plain words: the place, what was found, what was expected, what to do."""

from __future__ import annotations

import json
import re

from modnet.errors import Problem
from modnet.specs.positions import Outline, problem_at
from modnet.words import show

_TOKEN = re.compile(r"""[\w.+-]{1,60}|"[^"\n]{0,60}"|'[^'\n]{0,60}'|.""")
_END_OF_FILE = "the end of the file"
_END_OF_LINE = "the end of the line"

_BACKSLASH = "this is not a valid escape; a backslash in a string begins an escape such as \\n"
_UNCLOSED = "the string that begins here has no closing quote"

_TOML_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_TOML_REPEATED = re.compile(r"Cannot (declare|overwrite|mutate|redefine)|Duplicate inline table key")
_TOML_UNCLOSED = re.compile(r"Unterminated string|Expected (\"'\"|\"'''\")$|(Illegal|Found invalid) character '\\n'")
_TOML_CONTROL = re.compile(r"(?:Illegal|Found invalid) character")
_TOML_HEADER = re.compile(r"\s*\[\[?[\w.\"' -]+\]\]?\s*(#.*)?$")
_TOML_SENTENCES = {
    "Invalid statement": "expected a key, a [table] or a comment",
    "Expected newline or end of document after a statement": "expected the end of the line",
    "Expected '=' after a key in a key/value pair": 'expected "=" after the key',
    "Invalid initial character for a key part": "expected a key",
    "Expected ']' at the end of a table declaration": 'expected "]" after the name of the table',
    "Expected ']]' at the end of an array declaration": 'expected "]]" after the name of the table',
    "Unclosed array": 'expected "," or "]" in the list',
    "Unclosed inline table": 'expected "," or "}" in the table',
    "Invalid value": "expected a value",
}
_TOML_ESCAPES = ("Unescaped '\\' in a string", "Invalid hex value", "Escaped character is not a Unicode scalar value")

_JSON_SENTENCES = {
    "Expecting property name enclosed in double quotes": "expected a key in double quotes",
    "Expecting ':' delimiter": 'expected ":" after the key',
    "Expecting ',' delimiter": 'expected "," or the end of the list or table',
    "Expecting value": "expected a value",
    "Extra data": "expected the end of the file",
}


def toml_problems(error: ValueError, outline: Outline, file: str) -> list[Problem]:
    """The problems behind an error of `tomllib`; `outline` is that of the same text."""
    text = outline.text
    place = _TOML_PLACE.search(str(error))
    if place is None:
        return [_long_number(outline, file) or problem_at(text, file, (0, 0), f"not valid TOML: {error}")]
    message = str(error)[: place.start()]
    offset = _offset(text, int(place[1]), int(place[2])) if place[1] else len(text.rstrip())

    if _TOML_REPEATED.match(message):
        return outline.repeated_keys(file) or [_clash(outline, offset, file)]
    if _TOML_UNCLOSED.match(message) and outline.stopped is not None:
        return [problem_at(text, file, (outline.stopped, len(text)), _UNCLOSED)]
    return [_toml_token(text, offset, message, file)]


def _toml_token(text: str, offset: int, message: str, file: str) -> Problem:
    """The problem with the token at an offset."""
    if _TOML_CONTROL.match(message):
        return _control_character(text, offset, file)
    if message in _TOML_ESCAPES:
        start = text.rfind("\\", 0, offset + 1)
        hint = "write a backslash as \\\\, or put the string in single quotes"
        return problem_at(text, file, (start, start + 2), _BACKSLASH, hint)
    span, found = _token(text, offset), _found(text, offset)
    if message == "Invalid date or datetime":
        return problem_at(text, file, span, f"there is no such date or time as {found}")
    if sentence := _TOML_SENTENCES.get(message):
        return problem_at(text, file, span, f"{sentence}, found {found}", _toml_hint(text, offset, message, found))
    return problem_at(text, file, span, f"not valid TOML: {message[:1].lower()}{message[1:]}")


def json_problem(error: ValueError, outline: Outline, file: str) -> Problem:
    """The problem behind an error of `json`; `outline` is that of the same text."""
    text = outline.text
    if not isinstance(error, json.JSONDecodeError):
        return _long_number(outline, file) or problem_at(text, file, (0, 0), f"not valid JSON: {error}")
    offset, message = error.pos, error.msg
    before = text[:offset].rstrip()
    if message.startswith("Illegal trailing comma"):  # since Python 3.13, which points at the comma
        return _trailing_comma(text, offset, file)
    if before.endswith(",") and text[offset : offset + 1] in ("]", "}"):
        return _trailing_comma(text, len(before) - 1, file)
    if message.startswith("Unterminated string"):
        return problem_at(text, file, (offset, len(text)), _UNCLOSED)
    if message.startswith("Invalid control character") and text[offset] == "\n" and outline.stopped is not None:
        return problem_at(text, file, (outline.stopped, offset), _UNCLOSED)
    return _json_token(text, offset, message, file)


def _json_token(text: str, offset: int, message: str, file: str) -> Problem:
    """The problem with the token at an offset."""
    if message.startswith("Invalid control character"):
        return _control_character(text, offset, file)
    if message.startswith("Invalid \\"):
        start = text.rfind("\\", 0, offset + 1)
        return problem_at(text, file, (start, start + 2), _BACKSLASH, "write a backslash as \\\\")
    if sentence := _JSON_SENTENCES.get(message):
        found = _found(text, offset)
        span = _token(text, offset)
        return problem_at(text, file, span, f"{sentence}, found {found}", _json_hint(text, offset))
    return problem_at(text, file, _token(text, offset), f"not valid JSON: {message[:1].lower()}{message[1:]}")


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def _token(text: str, offset: int) -> tuple[int, int]:
    """The token at an offset: a word, a string, or one character; empty at the end of a line or of the file."""
    end_of_file = len(text.rstrip())
    if offset >= end_of_file:
        return end_of_file, end_of_file
    found = _TOKEN.match(text, offset)
    return offset, found.end() if found else offset


def _found(text: str, offset: int) -> str:
    start, end = _token(text, offset)
    if start == end:
        return _END_OF_FILE if start == len(text.rstrip()) else _END_OF_LINE
    token = text[start:end]
    if token[0] in "\"'":
        return f"the string {token}" if len(token) > 1 else "a quote"
    return show(token) if token.isprintable() else _code_point(token)


def _code_point(character: str) -> str:
    return f"the character U+{ord(character):04X}"


def _clash(outline: Outline, offset: int, file: str) -> Problem:
    """The problem of a key that is not repeated but not allowed here: the last key before the place of the error."""
    path, span = max(
        ((path, span) for path, span in outline.keys.items() if span[0] < offset),
        key=lambda key: key[1],
        default=((), (0, 0)),
    )
    message = "cannot be added here: a key or table before it has the same name, or is already complete"
    return problem_at(outline.text, file, span, message, path=path)


def _control_character(text: str, offset: int, file: str) -> Problem:
    message = f"{_code_point(text[offset])} is not allowed here; write it as an escape"
    return problem_at(text, file, (offset, offset + 1), message)


def _trailing_comma(text: str, offset: int, file: str) -> Problem:
    return problem_at(text, file, (offset, offset + 1), "JSON allows no comma after the last item; remove it")


def _long_number(outline: Outline, file: str) -> Problem | None:
    """The problem of a number with more digits than Python converts (4,300), or None."""
    for path, (start, end) in outline.values.items():
        if end - start > 4000 and re.fullmatch(r"[+-]?[0-9_]+", outline.text[start:end]):
            digits = sum(map(str.isdigit, outline.text[start:end]))
            message = f"this number is too long: it has {digits} digits"
            return problem_at(outline.text, file, (start, end), message, path=path)
    return None


def _toml_hint(text: str, offset: int, message: str, found: str) -> str:
    start, end = _token(text, offset)
    token = text[start:end]
    if message == "Invalid value":
        return _toml_value_hint(text, start, token)
    if message == "Expected newline or end of document after a statement":
        return _decimal_hint(text, start) or _any_hint(text, start, token)
    if message == "Expected '=' after a key in a key/value pair":
        return _key_hint(text, start, token)
    if message in ("Unclosed inline table", "Invalid initial character for a key part"):
        if found == _END_OF_LINE:
            return "a table in braces has to be on one line; a list may span several"
        if token == "}":
            return "remove the comma before it"
    return ""


def _key_hint(text: str, start: int, token: str) -> str:
    """What to do about a key without a value."""
    before = text[text.rfind("\n", 0, start) + 1 : start]
    if alone := re.search(r"\{\s*([\"'])(\w+)\1\s*$", before):
        return f'write "{alone[2]}" without braces, or {{ type = "{alone[2]}" }}'
    return "in TOML, write key = value" if token == ":" else _decimal_hint(text, start)


def _decimal_hint(text: str, start: int) -> str:
    """What to do about a number with a decimal comma that ends at `start`, or whose comma is there; "" for others."""
    line = text.rfind("\n", 0, start) + 1
    for number in re.compile(r"=[ \t]*(\d+),(\d+)[ \t]*").finditer(text, line):
        if number.start() > start:
            break
        if number.end() >= start:
            return f"write a decimal point: {number[1]}.{number[2]}"
    return ""


def _toml_value_hint(text: str, start: int, token: str) -> str:
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", start)
    if _TOML_HEADER.match(text[line_start : line_end if line_end >= 0 else len(text)]):
        return 'if this begins a table, the list before it is missing its "]"'
    if token.lower() in ("true", "false"):
        return f"write {token.lower()}"
    if token.lower() in ("none", "null", "nil", "~"):
        return "TOML has no such value; leave the key out"
    if re.match(r"\w+\s*=", text[start:]):
        return 'write a table in braces, as in { type = "linear" }'
    return _any_hint(text, start, token) or ("put a string in quotes" if token[:1].isalpha() else "")


def _json_hint(text: str, offset: int) -> str:
    start, end = _token(text, offset)
    token = text[start:end]
    if text.startswith(("//", "/*", "#"), start):
        return "JSON has no comments; TOML has"
    if token[:1] == "'":
        return "JSON strings need double quotes"
    if token in ("True", "False", "None"):
        return "write null" if token == "None" else f"write {token.lower()}"
    return _any_hint(text, start, token)


def _any_hint(text: str, start: int, token: str) -> str:
    if token and token in "“”„‘’«»":
        return 'write straight quotes: "'
    if re.fullmatch(r"[+-]?\.\d+", token):
        return "write " + token.replace(".", "0.")
    if re.fullmatch(r"\.(?:e.*)?", token) and text[start - 1 : start].isdigit():
        return "write a digit after the point"
    return ""


def yaml_problem(error: Exception, text: str, file: str, at: int) -> Problem:
    """The problem behind an error of `ruamel.yaml`.

    Args:
        at: the position of the parser, for an error without a position.
    """
    position = getattr(error, "position", None)
    if position is not None:
        return _control_character(text, position, file)
    mark, context_mark = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    message, context = getattr(error, "problem", None) or str(error), getattr(error, "context", None) or ""
    offset = mark.index if mark else at
    if message == "found unexpected end of stream" and context_mark:
        return problem_at(text, file, (context_mark.index, len(text)), _UNCLOSED)
    if message == "could not find expected ':'" and context_mark:
        return problem_at(text, file, (context_mark.index, offset), 'expected ":" after this key')
    if message.startswith("found unknown escape character"):
        return problem_at(text, file, (offset - 1, offset + 1), _BACKSLASH, "write a backslash as \\\\")
    return _yaml_token(" ".join(filter(None, (context, message))), message, text, file, offset)


def _yaml_token(whole: str, message: str, text: str, file: str, offset: int) -> Problem:
    """The problem of a token that `ruamel.yaml` did not expect; `whole` is its full message, `message` a part."""
    span, found = _token(text, offset), _found(text, offset)
    if message == "mapping values are not allowed here":
        hint = 'check the indentation; a string that contains ": " needs quotes'
        return problem_at(text, file, span, 'a ":" is not allowed here', hint)
    if message.startswith("found character") and message.endswith("cannot start any token"):
        if text.startswith("\t", offset):
            return problem_at(text, file, span, "a tab is not allowed here; indent YAML with spaces")
        return problem_at(text, file, span, f"{found} cannot begin a value; put the string in quotes")
    if message.startswith(("expected <block end>", "expected '<document start>'")):
        hint = "check the indentation: items and keys of one block begin in the same column"
        return problem_at(text, file, span, f"expected the next item or key of the block, found {found}", hint)
    if expected := re.match(r"expected ',' or '([\]}])'", message):
        kind = "list" if expected[1] == "]" else "table"
        return problem_at(text, file, span, f'expected "," or "{expected[1]}" in the {kind}, found {found}')
    if message.startswith("expected the node content"):
        return problem_at(text, file, span, f"expected a value, found {found}")
    return problem_at(text, file, span, f"not valid YAML: {whole}")
