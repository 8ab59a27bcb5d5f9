"""The rows of the commands that do something with trained models, or with many of them."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, QUIET, READING, SET, Command, argument, file, option, pairs

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
        QUIET,
        JSON,
    ),
    Command(
        "compare",
        "Say which of several models is better on the same rows.",
        """
        Measure models side by side on the same rows, and say how sure the differences to the first one are.

        The rows of DATA, which has the targets too, are drawn with replacement many times, the same ones for all
        models. Where 95 of 100 differences lie is the interval; if it has 0 in it, these rows can show no difference.
        Take rows that no model was trained on: a file of such rows, or with --spec the rows that a spec keeps from its
        training. DATA is a table, arrays in .npz, or - for a table on standard input.

        The models predict the same targets; they may read different columns. Rows that one of them cannot be measured
        by are left out for all. The figures are the metrics of their training and the usual ones of such a target;
        losses are not compared, as those of two models may be in different units.

        What differs between two model files is told by modnet diff.

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
            help="Instead of DATA: the rows for the test of this spec, or else those to validate with.",
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
        option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws."),
        *READING,
        PLUGIN,
        QUIET,
        JSON,
    ),
)
