"""The rows of the commands that say how far a model can be trusted."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, QUIET, READING, Command, argument, file, option

SPEC = file("--spec", help="Take the validation rows of this spec, with which the model was trained.")

TRUST = (
    Command(
        "calibrate",
        "Calibrate the probabilities of a model.",
        """
        Fit a temperature, by which probabilities are less sure of themselves, or more, to rows that MODEL was not
        trained on, and write it into the model. Which class is predicted does not change.

        The rows are those of DATA, a table, arrays in .npz, or - for a table on standard input; or with --spec the
        validation rows of the spec that the model was trained with, as the training has set them aside. With the rows
        that it was trained on a model looks better than it is. Log loss and calibration error are shown before and
        after. Calibrating again fits the temperature anew.

        \b
        Examples:
          modnet calibrate penguins.modnet --spec penguins.toml
          modnet calibrate penguins.modnet new.csv -o calibrated.modnet

        \b
        JSON: {"model", "rows", "temperatures": {output: temperature},
               "errors": {output: standard error},
               "before": {figure: value}, "after": {figure: value}}
        """,
        argument("model"),
        argument("data", required=False),
        SPEC,
        file("-o", "--output", help="The model file to write; by default MODEL itself is replaced."),
        *READING,
        PLUGIN,
        QUIET,
        JSON,
    ),
    Command(
        "intervals",
        "Give the predictions of a model intervals, or sets of classes.",
        """
        Learn from rows that MODEL was not trained on how far its predictions are from the truth, and write that into
        the model. Its predictions for rows of tables then have columns `lower` and `upper`, or `set`: a share of
        --coverage of new rows has the truth in them, on average, whatever the model is worth, if they come from where
        these rows come from.

        A network with several quantiles (loss "quantile") has wide intervals where it is unsure; any other one has
        intervals of one width. The rows are given as for `modnet calibrate`. Calibrate first: that, and training
        further, leaves the intervals out.

        \b
        Examples:
          modnet intervals diamonds.modnet --spec diamonds.toml
          modnet intervals penguins.modnet new.csv --coverage 0.95 -o sure.modnet

        \b
        JSON: {"model", "rows",
               "intervals": {target: {"coverage", "rows", "margin", "threshold"}}}
        """,
        argument("model"),
        argument("data", required=False),
        SPEC,
        option(
            "--coverage",
            type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
            default=0.9,
            show_default=True,
            help="The share of new rows to cover.",
        ),
        file("-o", "--output", help="The model file to write; by default MODEL itself is replaced."),
        *READING,
        PLUGIN,
        QUIET,
        JSON,
    ),
)
