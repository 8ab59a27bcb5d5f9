"""The command `modnet sample`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import modnet

if TYPE_CHECKING:
    import click


@modnet.hookimpl
def modnet_commands(cli: click.Group) -> None:
    import click

    @cli.command("sample", short_help="Write text with a model of characters.")
    @click.argument("model", type=click.Path())
    @click.option("--start", default="\n", help="The text before it; by default the end of a line.")
    @click.option("--length", type=click.IntRange(min=0), default=500, help="The number of characters; by default 500.")
    @click.option(
        "--temperature",
        type=click.FloatRange(min=0),
        default=1.0,
        help="Below 1 likely characters become more likely; 0 takes the likeliest. By default 1.",
    )
    @click.option(
        "--context",
        type=click.IntRange(min=2),
        help="Start again with the last half after this number of characters; by default the network sees all of them.",
    )
    @click.option("--seed", type=click.IntRange(min=0), default=0, help="The seed; another seed gives another text.")
    def command(model: str, start: str, length: int, temperature: float, context: int | None, seed: int) -> None:
        """Write text, character by character, each drawn with the probability that MODEL gives it.

        MODEL reads ids and gives probabilities at every step, in layers that stream, and was trained with the callback
        vocabulary.

        \b
        Example:
          modnet sample characters.modnet --start "ROMEO:" --temperature 0.7
        """
        from modnet.words import harmless
        from modnet_text.text import sample

        network = modnet.load(model)
        characters = sample(network, start, length, temperature=temperature, context=context, seed=seed)
        # The vocabulary may be a stranger's: none of its characters moves the terminal.
        click.echo(harmless(start), nl=False)
        for character in characters:
            click.echo(harmless(character), nl=False)
        click.echo()
