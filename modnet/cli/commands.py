"""The table of the built-in commands: what each is called, what it takes and what its help says.

Nothing but click is imported here, and a command's body, `run` in the module of its name, when it runs. So
`modnet --help`, `modnet train --help` and the completion of a shell cost no more than this table.
"""

from __future__ import annotations

import click

from modnet.cli.assess_commands import ASSESS
from modnet.cli.author_commands import AUTHORS
from modnet.cli.command import JSON, PLUGIN, QUIET, READING, SCHEDULER, SET, Command, Group
from modnet.cli.command import argument as _argument
from modnet.cli.command import file as _file
from modnet.cli.command import option as _option
from modnet.cli.command import pairs as _pairs
from modnet.cli.file_commands import FILES
from modnet.cli.plot_commands import PLOT
from modnet.cli.trust_commands import TRUST
from modnet.cli.why_commands import WHY

RATE = click.FloatRange(0.0, min_open=True)

_ROWS: tuple[Command | Group, ...] = (
    Command(
        "new-spec",
        "Write a first spec for a table.",
        """
        Look at a table and write a spec that predicts the target from the other columns.

        DATA is delimited text (.csv, .tsv), JSON lines, SQLite, or a file that a plugin can read. Read the spec and
        change it; comments explain its choices, and say what was assumed and noticed. An existing file is not
        overwritten. Without --target the columns are listed. Options for reading DATA are written into the spec too.

        With --effort quick the spec has one small network, with good five larger ones that are trained together, and
        with best ten with layers of the plugin modnet-tabular. The command says how long each training takes.

        \b
        Example:
          modnet new-spec penguins.csv --target species -o penguins.toml
        """,
        _argument("data"),
        _option(
            "--target",
            "targets",
            multiple=True,
            metavar="COLUMN",
            help="The column to predict. For several, separate them by commas or repeat the option.",
        ),
        _option(
            "--effort",
            type=click.Choice(["quick", "good", "best"]),
            default="good",
            show_default=True,
            help="How much computing time to spend on the training.",
        ),
        _file("-o", "--output", help="The file to write; by default the screen."),
        *READING,
        PLUGIN,
        QUIET,
    ),
    Command(
        "train",
        "Train the network of a spec and write a model file.",
        """
        Train the network of SPEC with the data that it names, and write a model file.

        Several specs are trained one after the other, when all of them have been checked, and a table at the end has a
        line for each. One that fails does not stop the others; the exit status is that of the first that failed. -o is
        then a folder for the models.

        Ctrl-C stops the training after the current step. The model with what was learnt is written, and the exit status
        is 130. SIGTERM does the same with status 143, and SIGHUP with 129. A second Ctrl-C stops at once and writes
        nothing. A run that diverges writes nothing, unless early_stopping has kept the best weights: these are
        written, and the status is 1. The status is 0 only if the model of the whole run is in its place.

        Checkpoints go to the folder of the spec's checkpoint callback. Without such a callback they are written every
        five minutes, and when the run is stopped, to a folder next to the model file (digits.checkpoints). It is
        removed when the model of the finished run is written. With --resume the run continues from the newest
        checkpoint, with the same result as if it had never been stopped. Network, training and data must be the same;
        the number of epochs and the callbacks may change.

        \b
        Example:
          modnet train penguins.toml -o models/penguins.modnet --set training.epochs=5
          modnet train small.toml large.toml -o models

        \b
        JSON: {"model", "bytes", "id", "parameters", "epochs", "best_epoch",
               "stopped", "metrics": {figure: value},
               "history": {figure: [value of each epoch]},
               "profile": {"batch", "seconds", "peak_gflops",
                 "rows": [{"name", "type", "forward", "backward", "bytes",
                           "forward_gflops", "backward_gflops"}]}}

        "profile" is present only with --profile; its times are in seconds. An ensemble has "best_epochs", one for each
        member, if early_stopping has restored them. Of several
        specs it is a list of such objects, each with "spec", "status", "seconds" and "error".
        """,
        _argument("specs", metavar="SPEC...", nargs=-1, required=True),
        _file(
            "-o",
            "--output",
            help="The model file; by default the spec's name with .modnet, here. Of several specs the folder.",
        ),
        PLUGIN,
        SET,
        QUIET,
        _option("--resume", is_flag=True, help="Continue an earlier run of this spec that was stopped."),
        _pairs(
            "--set-metadata",
            "entries",
            metavar="KEY=VALUE",
            help="Store an entry in the metadata of the model: --set-metadata commit=1f3a9c2.",
        ),
        _option("--profile", "profiled", is_flag=True, help="Show at the end how the time of a step is spent."),
        JSON,
    ),
    Command(
        "find-rate",
        "Find a learning rate.",
        """
        Train the network of SPEC for some steps with a learning rate that rises from step to step, and show the loss.

        A good rate to start with is the one at which the loss falls most steeply. The schedule and the callbacks of the
        spec are not used, and no model is written.

        \b
        Example:
          modnet find-rate penguins.toml --steps 200

        \b
        JSON: {"spec", "suggested", "ended",
               "rates": [...], "losses": [...], "smoothed": [...]}
        """,
        _argument("spec"),
        PLUGIN,
        SET,
        _option("--lowest", type=RATE, default=1e-6, show_default=True, help="The rate of the first step."),
        _option("--highest", type=RATE, default=10.0, show_default=True, help="The rate of the last step."),
        _option("--steps", type=click.IntRange(10), default=100, show_default=True, help="The number of steps."),
        JSON,
    ),
    Command(
        "search",
        "Search for better values of a spec.",
        """
        Train the network of SPEC many times, each time with other values from the ranges of its [search] table, and
        write the best spec and its model.

        The trials are compared by the figure that [search] names, on rows that are set aside for validation. Trials
        that are worse than others at the same epoch are stopped early. The first trial has the spec's own values. A
        trial that fails is recorded and does not end the search.

        BEST is the text of SPEC with the best values in their places and the [search] table as a comment. The model of
        the best trial (best.modnet) and the folder with the journal of all trials (best.search) are written next to
        it. Ctrl-C ends the search with the result so far, and the status is 130. --resume continues, also after a
        kill; trials that were cut off are repeated. With a larger --trials, a finished search continues.

        With --scheduler, workers run the trials. They need the same folders, and the same plugins installed. If a
        worker is lost, its trial is repeated; after three times it counts as failed.

        \b
        Example:
          modnet search penguins.toml -o best.toml --trials 50 --plot search.png

        \b
        JSON: {"spec", "output", "monitor", "greater_is_better", "own", "stopped",
               "best": TRIAL, "importance": {path: share}, "trials": [TRIAL]}
        TRIAL: {"number", "outcome", "values": {path: value}, "value",
                "figures": {figure: value}, "epochs", "seconds", "error",
                "repeats"}
        """,
        _argument("spec"),
        _file(
            "-o",
            "--output",
            metavar="BEST",
            help="The best spec; by default the spec's name with -best, here.",
        ),
        PLUGIN,
        SET,
        _option(
            "--trials", type=click.IntRange(1), metavar="N", help="The number of trials, instead of that of [search]."
        ),
        _option(
            "--time",
            type=click.FloatRange(0.0, min_open=True),
            metavar="SECONDS",
            help="End the search after this time, instead of the time of [search].",
        ),
        _option(
            "--processes",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="How many trials run at the same time; they share the cores.",
        ),
        SCHEDULER,
        QUIET,
        _option("--resume", is_flag=True, help="Continue a search that was stopped, or run more trials."),
        _file("--plot", help="Draw the trials and the importance of the values: .png, .svg or .pdf."),
        JSON,
    ),
    Command(
        "predict",
        "Predict for new data with a model file.",
        """
        Predict for every row of DATA: a table (.csv, .tsv, .jsonl), arrays in .npz or .npy, or - for a table on
        standard input.

        A model that was trained on a table or on labels gives names and probabilities. A .npz file has the network's
        outputs unchanged, under their names. In a .csv or .tsv table, a name that a spreadsheet would read as a
        formula gets an apostrophe before it, and a warning says so.

        A model that `modnet intervals` has changed also gives `lower` and `upper`, or a `set` of classes.

        Standard error says what was assumed about the rows, and which rows are outside of the range of the training.
        A row that cannot be predicted is an error, and nothing is written, unless --faults says otherwise. Standard
        error then has the rows that were left out, and the status is 0 if there are other rows.

        With --scheduler, DATA is a table in parts: a folder, or a pattern such as 'in/*.parquet' in quotes. Workers
        predict the parts. FILE is a folder, which gets a file for each part, with the same name, kind and order of
        rows. If a worker is lost, its parts are tried again. A part that cannot be predicted is reported at the end;
        the other parts are done, and the status is 2. --resume continues after a stop with the remaining parts. The
        workers need the same folders, and the same plugins installed.

        \b
        Examples:
          modnet predict penguins.modnet new.csv
          modnet predict penguins.modnet new.csv --keep id --faults skip -o out.csv
          tail -f visits.csv | modnet predict visits.modnet - --chunk 1 --json
          modnet predict digits.modnet images.npz -o digits.csv
          modnet predict visits.modnet visits/ -o scored/ --scheduler local:8

        \b
        JSON, with --scheduler:
          {"model", "data", "output", "parts", "done", "done_before", "rows",
           "bad_rows", "retries", "seconds", "rows_per_second", "stopped",
           "failed": [{"part", "error"}]}
        """,
        _argument("model"),
        _argument("data"),
        _file(
            "-o",
            "--output",
            default="-",
            help="A .csv, .tsv, .jsonl, .json or .npz file, or a file that a plugin can write; by default the screen.",
        ),
        _pairs("--keep", metavar="COLUMN", help="Write a column of DATA, unchanged, before the predictions."),
        _option("--keep-all", is_flag=True, help="Write all columns of DATA before the predictions."),
        _option(
            "--chunk",
            type=click.IntRange(1),
            metavar="ROWS",
            help="Read, predict and write this number of rows at a time, in little memory.",
        ),
        _option(
            "--threshold",
            "thresholds",
            multiple=True,
            metavar="P",
            help="Predict the second of two classes, or each label, if its probability is at least P. "
            "CLASS=P names the class.",
        ),
        _option(
            "--engine",
            metavar="NAME",
            help="Compute with another engine: compiled, of modnet-compiled, or onnxruntime, of modnet-onnx.",
        ),
        _option(
            "--faults",
            type=click.Choice(["raise", "skip", "blank"]),
            default="raise",
            show_default=True,
            help="What to do with a row that cannot be predicted: an error, leave it out, or write no prediction.",
        ),
        SCHEDULER,
        QUIET,
        _option("--resume", is_flag=True, help="With --scheduler: continue with the parts that are not done."),
        _option("--json", "as_json", is_flag=True, help="Print JSON, a record on each line."),
        *READING,
        PLUGIN,
    ),
    Command(
        "evaluate",
        "Measure the loss and the metrics of a model on data.",
        """
        Measure the model's loss and metrics on DATA, which must have the targets too.

        DATA is a table, arrays in .npz, or - for a table on standard input. Rows without a target, or with a class that
        the training did not have, are left out and counted.

        Each figure has a base rate: its value for a guess that uses no inputs. The guess is the most frequent class of
        these data with the shares of the classes as probabilities, or the mean of the numbers. For classes there is
        also a table with rows, precision, recall and F1 of each. For a model with intervals, the output shows how many
        rows they cover.

        \b
        Examples:
          modnet evaluate penguins.modnet test.csv
          modnet evaluate penguins.modnet test.csv --metric auc --metric f1
          modnet evaluate m.modnet test.npz --metric '{type="f1", average="macro"}'

        \b
        JSON: {"model", "data", "rows", "metrics": {figure: value},
               "base": {"guesses": {target: guess}, "metrics": {figure: value}},
               "classes": {target: {class: {"rows", "precision", "recall", "f1"}}},
               "coverage": {target: {"asked", "covered", "width" or "size"}}}
        """,
        _argument("model"),
        _argument("data"),
        _pairs(
            "--metric",
            "metrics",
            metavar="METRIC",
            help="Measure this metric instead of those of the training: its name, or a table as in a spec. "
            "OUTPUT=METRIC for one of several outputs.",
        ),
        *READING,
        PLUGIN,
        QUIET,
        JSON,
    ),
    *ASSESS,
    *WHY,
    *TRUST,
    Command(
        "check",
        "Find all faults of a spec.",
        """
        Find all faults of SPEC: wrong keys and values, shapes that do not fit, data that do not fit the network.

        The exit status is 2 if there are any.

        \b
        Example:
          modnet check digits.toml

        \b
        JSON: {"spec", "nodes", "parameters", "notes": [text], "problems":
               [{"file", "line", "column", "length", "path", "message", "hint"}]}
        """,
        _argument("spec"),
        PLUGIN,
        SET,
        QUIET,
        JSON,
    ),
    Command(
        "summary",
        "Show the nodes of a network, with their shapes and sizes.",
        """
        Show the nodes of the network in a spec or a model file: shapes of one sample, parameters, multiply-adds.

        \b
        Example:
          modnet summary digits.toml

        \b
        JSON: {"inputs": {name: shape}, "parameters", "multiply_adds", "dtype",
               "bytes", "nodes": [{"name", "type", "shape", "parameters",
               "multiply_adds", "trainable"}]}; a variable axis is null
        """,
        _argument("file", metavar="SPEC|MODEL"),
        PLUGIN,
        SET,
        JSON,
    ),
    PLOT,
    *FILES,
    *AUTHORS,
    Command(
        "schema",
        "Print the JSON Schema of a spec, for completion in an editor.",
        """
        Print the JSON Schema of a spec with all installed components, for completion and checks in an editor.

        \b
        Example:
          modnet schema -o modnet.schema.json
        """,
        _file("-o", "--output", help="The file to write; by default the screen."),
    ),
)

HEADINGS = {
    "From data to a model": ("new-spec", "check", "train", "find-rate", "search", "cross-validate"),
    "With a model": ("predict", "evaluate", "compare", "explain", "report", "calibrate", "intervals"),
    "Look into files, and change them": (
        "summary",
        "plot",
        "history",
        "inspect",
        "verify",
        "card",
        "diff",
        "edit",
        "convert",
    ),
    "Plugins, and what is installed": ("plugins", "new-plugin", "check-plugin", "schema", "doctor"),
}
"""The headings of the list of commands, with the commands below each, in the order in which one needs them."""

_BY_NAME = {row.name: row for row in _ROWS}

COMMANDS = {name: _BY_NAME[name] for names in HEADINGS.values() for name in names}
"""Name -> row."""

BODIES = {command.name: command for row in _ROWS for command in (row.commands if isinstance(row, Group) else (row,))}
"""Name -> row of each command that has a body, those of groups under both names: `plot history`."""
