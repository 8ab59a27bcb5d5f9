"""How a spec shows itself in a notebook: as TOML, with the options that are not their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modnet.configuration.fields import Configuration
from modnet.kinds.component import Component, Use
from modnet.pictures import html
from modnet.specs.rewrite import toml_text


def spec_html(spec: Configuration) -> str:
    """A `Spec` as TOML."""
    parts = {name: _brief(part) for name, part in spec.__dict__.items() if part is not None}
    return html.block("Spec", html.code(toml_text(parts).rstrip()))


def _brief(value: Any) -> Any:
    """A value of a spec as plain values, without the options that have their defaults."""
    if isinstance(value, Use):
        return _used(value)
    if isinstance(value, Component):
        return _named(value)
    if isinstance(value, Configuration):
        return _options(value)
    if isinstance(value, Mapping):
        return {key: _brief(item) for key, item in value.items()}
    return [_brief(item) for item in value] if isinstance(value, tuple | list) else value


def _used(use: Use) -> Any:
    """A component with the options of its place."""
    own = next(iter(type(use).__fields__))
    named, options = _named(use.component()), {name: option for name, option in _options(use).items() if name != own}
    if not options:
        return named
    return {**(named if isinstance(named, dict) else {"type": named}), **options}


def _named(component: Component) -> Any:
    """A component by only its type, or as a table with its options."""
    kind, options = component.plain()["type"], _options(component)
    return {"type": kind, **options} if options else kind


def _options(value: Configuration) -> dict[str, Any]:
    fields = type(value).__fields__
    return {name: _brief(own) for name, own in value.__dict__.items() if name in fields and own != fields[name].default}
