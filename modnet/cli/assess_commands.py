"""The rows of the commands that do something with trained models, or with many of them."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, SET, Command, argument, file, option

ASSESS = (
    Command(
        "cross-validate",
        "Measure by folds how good the networks of a spec are.",
        """
        Part the rows of SPEC into folds, train a network for each fold on the other folds, and measure it by the fold.
        Show the figures of each fold, their means with standard deviation and standard error, the figures of all
        predictions together, and the base rates.

        Each network is trained as modnet train would train it on these rows: the spec's share for validation is set
        aside from them, and what columns and layers learn comes from them alone. The rows for the spec's test are in
        no fold. Callbacks that write files take no part.

        The folds are drawn by chance, stratified by classes, or made as the split of the spec says. --group keeps the
        rows with the same value of a column in one fold. --time goes forward: the rows are parted in their order into
        one block more than there are folds, and each fold trains on all blocks before the one that it is measured by.

        A fold that is finished is stored in a folder beside the predictions (penguins.folds), which is removed when
        all are done. Ctrl-C loses the running fold alone; the same command goes on, and refuses if the spec or the
        data have changed.

        \b
        Examples:
          modnet cross-validate penguins.toml -o predicted.csv
          modnet cross-validate visits.toml --folds 10 --group patient
          modnet cross-validate sales.toml --time date

        \b
        JSON: {"spec", "notes": [text],
               "folds": [{"repeat", "fold", "rows", "train", "validation",
                 "epochs", "best_epoch", "seconds", "metrics": {figure: value}}],
               "spread": {figure: {"mean", "deviation", "error", "undefined"}},
               "metrics": {figure: value of all rows together},
               "base": {figure: value},
               "classes": {target: {class: {"rows", "precision", "recall", "f1"}}},
               "predictions"}
        """,
        argument("spec"),
        option("--folds", type=click.IntRange(2), default=5, show_default=True, help="How many folds."),
        option(
            "--repeats",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="How often all rows are parted, each time in another way.",
        ),
        option("--group", metavar="COLUMN", help="Keep the rows with the same value in one fold."),
        option("--time", metavar="COLUMN", help="Train on the past, and measure by what follows."),
        option(
            "--seed",
            type=click.IntRange(0),
            help="Of the draw of folds; by default the split_seed of the spec. The training keeps its own.",
        ),
        file("-o", "--output", help="Write the predictions, as modnet predict does, with row and fold."),
        option(
            "--folder",
            metavar="DIR",
            type=click.Path(),
            help="Store the network of each fold here, and leave it there: fold-1.modnet.",
        ),
        PLUGIN,
        SET,
        JSON,
    ),
)
