"""The badges of the README, drawn from pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LETTER, HEIGHT, PADDING = 6.6, 20, 7
"""Mean width of a letter of 11 pixels, height of a badge and space beside its texts, in pixels."""


def badges() -> Iterator[tuple[Path, str]]:
    """(path, SVG) of each badge."""
    folder = ROOT / "docs" / "pictures" / "badges"
    for name, label, value in facts():
        yield folder / f"{name}.svg", badge(label, value)


def facts() -> Iterator[tuple[str, str, str]]:
    """(name, label, value) of each badge."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    prefix = "Programming Language :: Python :: 3."
    minors = [line.removeprefix(prefix) for line in project["classifiers"] if line.startswith(prefix)]
    yield "python", "Python", " | ".join(f"3.{minor}" for minor in minors)
    required = [line.partition(">")[0] for line in project["dependencies"]]
    yield "requires", "requires", " | ".join(dict.fromkeys(required))
    if settings["tool"]["mypy"]["strict"]:
        yield "types", "types", "mypy, strict"
    yield "licence", "licence", project["license"]


def badge(label: str, value: str) -> str:
    left, right = (round(len(text) * LETTER + 2 * PADDING) for text in (label, value))
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{len(text) * LETTER:g}">{escape(text)}</text>'
        for text, x in ((label, PADDING), (value, left + PADDING))
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img">
<title>{escape(f"{label}: {value}")}</title>
<rect width="{left + right}" height="{HEIGHT}" rx="3" fill="#3d4551"/>
<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v{HEIGHT - 6}a3 3 0 0 1 -3 3h-{right - 3}z" fill="#0068a5"/>
<g fill="#fff" font-family="Verdana, 'DejaVu Sans', sans-serif" font-size="11">{texts}</g>
</svg>
"""
