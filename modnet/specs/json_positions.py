"""The positions of the parts of a JSON text."""

from __future__ import annotations

import json
import re

from modnet.specs.positions import Lost, Outline, Scanner, Span

# Possessive (++, *+), here and in the other formats: a pattern must not take exponential time on a hostile text.
_STRING = re.compile(r'"(?:[^"\\\n]++|\\.)*+"')


def outline_json(text: str) -> Outline:
    """Outlines a text that `json` accepts, or the part of another text before its fault. Never raises."""
    return _JsonScanner(text).scan()


class _JsonScanner(Scanner):
    BLANK = re.compile(r"[ \t\n\r]*+")
    SCALAR = re.compile(_STRING.pattern + r'|[^\s"\[\]{},:]++')
    EQUALS = ":"

    def document(self) -> None:
        self.skip_blank()
        self.value(())

    def key(self) -> list[tuple[str, Span]]:
        start = self.at
        token = self.take(_STRING)
        try:
            name = json.loads(token) if "\\" in token else token[1:-1]
        except ValueError:
            raise Lost from None
        return [(name, (start, self.at))]
