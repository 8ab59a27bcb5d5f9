"""The body of `modnet import-weights`."""

from __future__ import annotations

from pathlib import Path

import modnet
from modnet.cli.output import echo
from modnet.cli.places import check_output
from modnet.words import counted
from modnet_torch.transfer import load_state_dict


def run(weights: str, network: str, output: str | None, partial: bool) -> None:
    if output is not None:
        if Path(output).resolve() == Path(weights).resolve():
            raise modnet.ModnetError(f"{output}: the weights are in this file; choose another one with -o")
        check_output(Path(output))
    is_model = Path(network).suffix.lower() in (".modnet", "")
    made = modnet.load(network) if is_model else modnet.build(network)
    found = load_state_dict(made, weights, strict=not partial)
    echo(found)
    guessed = sum(match.how == "order" for match in found.matching.matches)
    if guessed:
        echo(f"{counted(guessed, 'node')} by order, among others of the same shapes: check if they are right")
    if output is None:
        echo("nothing was written; -o MODEL.modnet writes the network")
        return
    modnet.save(made, output)
    echo(f"{output}: {counted(len(found.matching.matches), 'node')} with weights of {weights}")
