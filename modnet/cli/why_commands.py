"""The rows of the commands that say why a model predicts what it predicts."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, QUIET, READING, Command, argument, file, option

WHY = (
    Command(
        "explain",
        "Show which columns a model's predictions depend on, and how.",
        """
        Show how MODEL uses the columns of DATA, or, with --rows, explain its predictions for these rows. DATA should be
        rows that the model was not trained on.

        Without --rows it shows how much worse the predictions get when the values of a column are shuffled
        (permutation importance), and the mean predictions if all rows had the same value in a column (partial
        dependence), for the three most important columns or those of --column. With --rows it shows what each column
        adds to the prediction (integrated gradients), starting from the prediction for the mean of the training rows.
        DATA then needs no target.

        \b
        Examples:
          modnet explain penguins.modnet test.csv
          modnet explain penguins.modnet test.csv --rows 1,5-7 --class Gentoo
          modnet explain diamonds.modnet test.csv --column carat --plot carat.png

        \b
        JSON: {"model", "data",
               "importance": {"rows", "repeats", "figures",
               "columns": [{"column", "lost": {figure: {"mean", "deviation"}}}]},
               "dependence": [{"column", "values", "rows", "predictions", "mean",
               "low", "high"}],
               "rows": [{"row", "prediction", "value", "baseline", "error",
               "columns": [{"column", "value", "adds"}]}]}
        """,
        argument("model"),
        argument("data"),
        option(
            "--rows",
            "--row",
            multiple=True,
            metavar="N,N-N",
            help="The rows to explain, counted from 1; can be given several times.",
        ),
        option(
            "--column",
            "columns",
            multiple=True,
            metavar="COLUMN",
            help="Show the partial dependence of this column. Can be given several times.",
        ),
        option("--class", "target_class", metavar="CLASS", help="Explain only the probability of this class."),
        option("--log-odds", is_flag=True, help="Explain log(p / (1 - p)) instead of the probability p of a class."),
        option(
            "--figure",
            "figures",
            multiple=True,
            metavar="FIGURE",
            help="Measure the importance by this figure, such as accuracy; by default by the loss and a metric.",
        ),
        option("--repeats", type=click.IntRange(1), default=10, show_default=True, help="How often to shuffle each."),
        option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed for shuffling."),
        file("--plot", help="Draw it: a folder, or one file (.png, .svg, .pdf). Needs the extra plot."),
        *READING,
        PLUGIN,
        QUIET,
        JSON,
    ),
    Command(
        "report",
        "Write a report about a model, as one HTML file.",
        """
        Write one HTML file about MODEL: what it predicts, from which columns, its network, its training, its origin,
        and how to predict with it. With DATA, rows with targets that the model was not trained on, the report also says
        how good the model is, how certain, which columns matter, and where it is most wrong.

        The file loads nothing from elsewhere and runs no program, so that it can be mailed, kept and printed. It needs
        the extra report: pip install 'modnet-core[report]'.

        \b
        Example:
          modnet report penguins.modnet test.csv -o penguins.html
        """,
        argument("model"),
        argument("data", required=False),
        file("-o", "--output", help="The file to write; by default MODEL's name with .html."),
        option("--repeats", type=click.IntRange(1), default=10, show_default=True, help="How often to shuffle each."),
        option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed for everything random."),
        *READING,
        PLUGIN,
        QUIET,
    ),
)
