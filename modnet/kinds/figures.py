"""The figures of a run, as schedules and callbacks name them."""

from __future__ import annotations

from collections.abc import Mapping

from modnet.words import did_you_mean, show

VALIDATION = "validation_"
"""The prefix of the figures that are measured on the validation data."""


def monitored_figure(name: str, figures: Mapping[str, bool | None]) -> tuple[str, bool | None]:
    """The name of the figure that a schedule or callback asks for, and whether a greater value of it is better.

    In a run without validation, "validation_loss" means "loss".

    Args:
        figures: name -> whether greater is better, for all that the run records.

    Raises:
        ValueError: the run does not record it.
    """
    if name == f"{VALIDATION}loss" and name not in figures:
        name = "loss"
    if name not in figures:
        # "val_loss", as Keras calls it.
        meant = f"{VALIDATION}{name[4:]}" if name.startswith("val_") else name
        without = meant.startswith(VALIDATION) and not any(known.startswith(VALIDATION) for known in figures)
        why = "; this run has no validation" if without else did_you_mean(meant, figures)
        end = "" if why.endswith("?") else ";"
        raise ValueError(f"no figure is called {show(name)}{why}{end} this run has: {', '.join(figures)}")
    return name, figures[name]
