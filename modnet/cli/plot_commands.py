"""The rows of `modnet plot`."""

from __future__ import annotations

import click

from modnet.cli.command import PLUGIN, QUIET, READING, SET, Command, Group, argument, file

_OUTPUT = file("-o", "--output", help="The picture: .svg, .png or .pdf; by default an .svg beside the first file.")

PLOT = Group(
    "plot",
    "Draw a training, a network, its weights or its errors.",
    """
    Draw a picture: a file .svg, .png or .pdf. An .svg is light or dark as the reader's system is, and colour-blind
    people can tell the colours apart.

    All but `network` need the extra plot: pip install 'modnet-core[plot]'.

    \b
    Examples:
      modnet plot history penguins.modnet
      modnet plot history small.modnet large.modnet
      modnet plot network penguins.toml -o network.svg
    """,
    Command(
        "plot history",
        "Draw the figures of each epoch, of one training or of several.",
        """
        Draw the loss and the metrics over the epochs, training and validation together; of several trainings in one
        figure, with a colour for each.

        MODEL is a model file, of which only the header is read, or the file of a csv_log or json_log, also of a
        training that still goes on.

        \b
        Examples:
          modnet plot history penguins.modnet
          modnet plot history small.modnet large.modnet log.csv
        """,
        argument("models", metavar="MODEL...", type=click.Path(), nargs=-1, required=True),
        _OUTPUT,
    ),
    Command(
        "plot confusion",
        "Draw how many rows of each class are predicted as each.",
        """
        Draw the confusion matrix of MODEL on DATA, which has the targets too: how many rows of each class are predicted
        as each. The darker a cell, the greater is its share of the rows of its class.

        \b
        Example:
          modnet plot confusion penguins.modnet test.csv
        """,
        argument("model"),
        argument("data"),
        _OUTPUT,
        *READING,
        PLUGIN,
        QUIET,
    ),
    Command(
        "plot weights",
        "Draw the weights of a model: histograms, and filters as images.",
        """
        Draw a histogram of each array of weights of MODEL, or of those of NODE, the name of a node or composite. The
        filters of a first layer that sees images are drawn as images.

        \b
        Examples:
          modnet plot weights digits.modnet
          modnet plot weights digits.modnet linear_1 -o first.png
        """,
        argument("model"),
        argument("node", required=False, type=str),
        _OUTPUT,
        PLUGIN,
        QUIET,
    ),
    Command(
        "plot network",
        "Draw the nodes of a network, and the shapes of what passes.",
        """
        Draw the network of a spec or a model file: its nodes, and the shapes of one sample of what passes between them.

        Graphviz places the nodes if its program dot is installed; nothing else is needed for .svg, and for .dot, the
        language of Graphviz. For .png and .pdf Graphviz is needed.

        \b
        Example:
          modnet plot network penguins.toml -o network.svg
        """,
        argument("file", metavar="SPEC|MODEL"),
        file("-o", "--output", help="The picture: .svg, .dot, .png or .pdf; by default an .svg beside the file."),
        PLUGIN,
        SET,
    ),
    Command(
        "plot schedule",
        "Draw the learning rate over the epochs.",
        """
        Draw the learning rate over the epochs, as the schedule of a spec or of a model file gives it, and the weight
        decay if it has a schedule. No data are read, and nothing is trained.

        A schedule that follows a figure of the training, such as plateau, is drawn truly for a model file only.

        \b
        Example:
          modnet plot schedule digits.toml --set training.epochs=20
        """,
        argument("file", metavar="SPEC|MODEL"),
        _OUTPUT,
        PLUGIN,
        SET,
        QUIET,
    ),
)
