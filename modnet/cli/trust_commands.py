"""The rows of the commands that say how far a model can be trusted."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, QUIET, READING, Command, argument, file, option

SPEC = file("--spec", help="Use the validation rows of this spec, the one that the model was trained with.")

TRUST = (
    Command(
        "calibrate",
        "Calibrate the probabilities of a model.",
        """
        Fit a temperature on rows that MODEL was not trained on, and write it into the model. It makes the probabilities
        less confident, or more. The predicted class does not change.

        The rows are those of DATA, a table, arrays in .npz, or - for a table on standard input. With --spec they are
        the validation rows of the spec that the model was trained with. On the rows of its training a model looks
        better than it is. Log loss and calibration error are shown before and after. Calibrating again replaces the
        temperature.

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
        "Add intervals, or sets of classes, to the predictions of a model.",
        """
        Measure on rows that MODEL was not trained on how far its predictions are from the truth, and write that into
        the model. Its predictions for rows of tables then have the columns `lower` and `upper`, or `set`. On average
        they contain the truth for the share --coverage of new rows, if these come from the same source as the rows
        here. This holds for good and bad models.

        A network with several quantiles (loss "quantile") has wide intervals for uncertain rows; any other network has
        intervals of one width. The rows are given as for `modnet calibrate`. Calibrate first: calibrating or training
        the model later removes the intervals.

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
