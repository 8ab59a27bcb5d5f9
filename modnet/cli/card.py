"""The body of `modnet card`."""

from __future__ import annotations

from modnet.assessment.model_card import model_card
from modnet.cli.output import echo
from modnet.cli.prediction import check_not_input
from modnet.model.atomic import replace_file


def run(model: str, output: str | None) -> None:
    if output is not None and output != "-":
        check_not_input(output, model=model)
        replace_file(output, [model_card(model).encode()], durable=False)
    else:
        echo(model_card(model), nl=False)
