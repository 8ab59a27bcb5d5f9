"""Files with weights for `modnet.load`, `modnet.save` and the commands that use them, and `modnet import-weights`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import modnet
from modnet.engine.network import Network
from modnet.errors import MalformedFile, NotAModelFile
from modnet.model.load import restored
from modnet.model.save import described
from modnet_torch.files import PICKLES, SAFETENSORS, WRITTEN_PICKLES, read_weights, write_pickle, write_safetensors
from modnet_torch.transfer import restore, state_dict

if TYPE_CHECKING:
    import click

KEY = "modnet"
"""The key of the network's description in the metadata of a safetensors file."""


@modnet.hookimpl
def modnet_formats() -> dict[str, dict[str, str]]:
    """What `modnet_export` writes, without options."""
    return {suffix: {} for suffix in (*SAFETENSORS, *WRITTEN_PICKLES)}


@modnet.hookimpl
def modnet_export(network: Network, path: Path) -> bool | None:
    """A safetensors file with the arrays as torch has them, and the network's description in its metadata.

    A file of torch (.pt, .pth) has only the same arrays, a state_dict: it is for torch, and no network can be made of
    it again.
    """
    if path.suffix.lower() in WRITTEN_PICKLES:
        write_pickle(path, state_dict(network))
        return True
    if path.suffix.lower() not in SAFETENSORS:
        return None
    # A single text: the library writes several in any order, and the same network must give the same bytes.
    metadata = {KEY: json.dumps(described(network, path))}
    write_safetensors(path, state_dict(network), metadata)
    return True


@modnet.hookimpl
def modnet_import(path: Path) -> Network | None:
    """The network of a safetensors file that `modnet_export` has written."""
    if path.suffix.lower() not in (*SAFETENSORS, *PICKLES):
        return None
    hint = f"modnet import-weights {path.name} SPEC -o MODEL.modnet reads them into the network of a spec"
    if path.suffix.lower() in PICKLES:
        raise NotAModelFile(path, f"this is a file of torch, which has weights and no network; {hint}")
    arrays, metadata = read_weights(path)
    if KEY not in metadata:
        raise NotAModelFile(path, f"these are weights without a network; {hint}")
    try:
        values = json.loads(metadata[KEY])
    except (ValueError, RecursionError) as error:
        raise MalformedFile(path, f"the description of the network is not JSON: {error}", KEY) from None
    if not isinstance(values, dict):
        raise MalformedFile(path, "the description of the network is not a JSON object", KEY)
    network = restored(path, values, path.stat().st_size, arrays)
    restore(network, path, arrays)
    return network


@modnet.hookimpl
def modnet_commands(cli: click.Group) -> None:
    import click

    @cli.command("import-weights", short_help="Read the weights of a torch model into a network.")
    @click.argument("weights", type=click.Path())
    @click.argument("network", type=click.Path())
    @click.option(
        "-o", "--output", type=click.Path(), metavar="FILE", help="The model file; without it nothing is written."
    )
    @click.option(
        "--partial", is_flag=True, help="Load what fits: other nodes keep their values, other weights are ignored."
    )
    def command(weights: str, network: str, output: str | None, partial: bool) -> None:
        """Read the WEIGHTS of a torch model into a network, and write it as a model file.

        WEIGHTS is a .safetensors file, or one of torch's own (.pt, .pth, .bin, .ckpt; only weights are read).
        NETWORK is a spec with the same network, or a model file. Which weights belong to which node is guessed by
        names, shapes and order, and shown; the table [weights] of the spec corrects it.

        \b
        Example:
          modnet import-weights resnet.safetensors resnet.toml -o resnet.modnet
        """
        from modnet_torch.command import run

        run(weights, network, output, partial)
