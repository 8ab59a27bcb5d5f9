"""The figures of a run: how schedules and callbacks name them, and how people read them."""

from __future__ import annotations

from collections.abc import Mapping

from modnet.words import did_you_mean, printable, show

VALIDATION = "validation_"
"""The prefix of the figures that are measured on the validation data."""


TEST = "test_"
"""The prefix of the figures that are measured on the test data, once, when the training is over."""


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


def figure_title(name: str) -> str:
    """A figure's name for people: `validation_top_k_accuracy` -> "val top k accuracy"."""
    return printable(name.replace("validation_", "val ", 1).replace("_", " "))


def figure_text(name: str, value: float) -> str:
    """A figure's value for people; shares have three decimals."""
    if name.endswith(("loss", "error")) or not (value == 0 or 1e-3 <= value <= 1):
        return number_text(value)
    return f"{value:.3f}"


def number_text(value: float) -> str:
    """A number with about four significant digits and no more than nine characters."""
    size = abs(value)
    if size != size or size == float("inf"):
        return str(value)
    if size and (size < 1e-3 or size >= 1e6):
        return f"{value:.2e}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:.0f}"
