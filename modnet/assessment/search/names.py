"""How the values of a search are called, and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modnet.assessment.search.space import label


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Dotted path -> its last keys, as many as tell it from the others: `learning_rate`, `linear_1.out_features`."""
    known = list(paths)
    names = {}
    for dotted in known:
        keys = dotted.split(".")
        for count in range(1, len(keys) + 1):
            tail = ".".join(keys[-count:])
            if sum(other == tail or other.endswith(f".{tail}") for other in known) == 1:
                break
        names[dotted] = tail
    return names


def value_text(value: Any) -> str:
    """A value that was tried, as short as possible."""
    if isinstance(value, Mapping) and "type" in value:
        options = ", ".join(f"{key} = {label(item)}" for key, item in value.items() if key != "type")
        return f"{value['type']}({options})" if options else str(value["type"])
    return f"{value:.4g}" if isinstance(value, float) else label(value)
