"""The body of `modnet card`."""

from __future__ import annotations

import os

from modnet.assessment.model_card import BEGINNING, model_card
from modnet.cli.output import echo
from modnet.cli.prediction import check_not_input
from modnet.errors import ModnetError
from modnet.model.atomic import replace_file


def run(model: str, output: str | None) -> None:
    if output is None or output == "-":
        echo(model_card(model), nl=False)
        return
    check_not_input(output, model=model)
    _check_old(output)
    replace_file(output, [model_card(model).encode()], durable=False)


def _check_old(output: str) -> None:
    """Checks that a file that is in the way is an earlier card, and no page that somebody has written."""
    if os.path.isfile(output) and os.path.getsize(output):
        with open(output, "rb") as file:
            if file.read(len(BEGINNING)) != BEGINNING.encode():
                what = "this is not a model card of modnet, and is not overwritten; choose another file with -o"
                raise ModnetError(f"{output}: {what}")
