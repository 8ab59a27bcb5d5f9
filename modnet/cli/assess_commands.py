"""The rows of the commands that do something with trained models, or with many of them."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, QUIET, READING, SET, Command, argument, file, option, pairs

ASSESS = (
    Command(
        "cross-validate",
        "Measure by cross-validation how good the networks of a spec are.",
        """
        Divide the rows of SPEC into folds. For each fold, train a network on the other folds and measure it on this
        one.
        Show the figures of each fold, their means with standard deviation and standard error, the figures of all
        predictions together, and the base rates.

        Each network is trained as modnet train would train it on these rows: the spec's fraction for validation is
        taken from them, and columns and layers learn only from them. The rows for the spec's test are in no fold.
        Callbacks that write files are not called.

        The folds are random, stratified by classes, or made by the split of the spec. --group keeps the rows with the
        same value of a column in one fold. --time goes forward: the rows are divided in their order into one block
        more than there are folds, and each fold trains on all blocks before the one on which it is measured.

        A finished fold is stored in a folder next to the predictions (penguins.folds). The folder is removed when all
        folds are done. Ctrl-C loses only the running fold. The same command continues, unless the spec or the data
        have changed.

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
        option("--folds", type=click.IntRange(2), default=5, show_default=True, help="The number of folds."),
        option(
            "--repeats",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="How often all rows are divided into folds, each time at random.",
        ),
        option("--group", metavar="COLUMN", help="Keep the rows with the same value in one fold."),
        option("--time", metavar="COLUMN", help="Train on the past, and measure on what follows."),
        option(
            "--seed",
            type=click.IntRange(0),
            help="The seed of the folds; by default the split_seed of the spec. It does not change the training.",
        ),
        file("-o", "--output", help="Write the predictions, as modnet predict does, with row and fold."),
        option(
            "--folder",
            metavar="DIR",
            type=click.Path(),
            help="Keep the network of each fold in this folder: fold-1.modnet.",
        ),
        PLUGIN,
        SET,
        QUIET,
        JSON,
    ),
    Command(
        "compare",
        "Say which of several models is better on the same rows.",
        """
        Measure models on the same rows, and say how certain the differences to the first model are.

        The rows of DATA, which must have the targets too, are drawn with replacement many times, the same ones for all
        models. The interval contains 95 % of the differences. If it contains 0, these rows can show no difference. Use
        rows that no model was trained on: a file of such rows, or with --spec the rows that a spec keeps from its
        training. DATA is a table, arrays in .npz, or - for a table on standard input.

        The models must predict the same targets; they may read different columns. A row that cannot be measured for
        one model is left out for all. The figures are the metrics of their training and the usual ones for such a
        target. Losses are not compared, because those of two models may be in different units.

        For the differences between two model files use modnet diff.

        \b
        Examples:
          modnet compare small.modnet large.modnet test.csv
          modnet compare small.modnet large.modnet --spec penguins.toml
          modnet compare old.modnet new.modnet visits.csv --group patient

        \b
        JSON: {"data", "models", "rows", "groups", "resamples", "seed",
               "metrics": {model: {figure: value}},
               "differences": {model: {figure: {"difference", "low", "high",
                 "undefined", "first_better", "better"}}},
               "notes": [text]}
        """,
        argument("models", metavar="MODEL...", nargs=-1, required=True),
        argument("data", metavar="DATA"),
        file(
            "--spec",
            help="Instead of DATA: the test rows of this spec, or if it has none, its validation rows.",
        ),
        pairs("--set", "settings", metavar="KEY=VALUE", help="Replace a value of that spec, as in its training."),
        pairs(
            "--metric",
            "metrics",
            metavar="METRIC",
            help="Measure this metric instead: its name, or a table as in a spec. OUTPUT=METRIC for one of several "
            "outputs.",
        ),
        option("--group", metavar="COLUMN", help="Draw rows with the same value together."),
        option(
            "--resamples",
            type=click.IntRange(40),
            help="How often rows are drawn; by default 2,000 times, and less often for more than 10,000 rows.",
        ),
        option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed for the draws."),
        *READING,
        PLUGIN,
        QUIET,
        JSON,
    ),
)
