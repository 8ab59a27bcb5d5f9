"""The rows of the commands that show, check and change model files."""

from __future__ import annotations

import click

from modnet.cli.command import JSON, PLUGIN, Command, argument, file, option, pairs

FILES = (
    Command(
        "history",
        "Show the epochs of a training, with their curves.",
        """
        Show the figures of the epochs of the training that made MODEL, with the best epoch and a small curve of each
        figure. Of many epochs some are shown; --json and --csv have all.

        The best epoch is the one with the lowest loss on the validation data, or in training where there were none.
        Several models stand side by side, figure by figure. Only the header of a file is read. MODEL can also be the
        file of a csv_log or json_log.

        \b
        Examples:
          modnet history penguins.modnet
          modnet history small.modnet large.modnet
          modnet history penguins.modnet --csv > epochs.csv

        \b
        JSON: [{"model", "epochs", "best_epoch", "kept_epoch", "monitor",
                "history": {figure: [value of each epoch]}}]

        The weights in the file are those of the kept epoch, null if that is not known.
        """,
        argument("models", metavar="MODEL...", nargs=-1, required=True),
        option("--csv", "as_csv", is_flag=True, help="Print a table with a line for each epoch."),
        JSON,
    ),
    Command(
        "inspect",
        "Show what is in a model file.",
        """
        Show what is in a model file: which versions made it, what it needs and whether that is installed, its nodes and
        arrays.

        Only the header is read: no plugin is imported, no network is built, and the arrays' checksums are not compared
        (modnet verify does that).

        \b
        Example:
          modnet inspect digits.modnet

        \b
        JSON: {"file", "format", "bytes", "id", "made_by",
               "needs": [{"distribution", "version", "components", "installed",
               "missing", "status"}], "features", "spec", "schema", "history",
               "metrics", "epochs", "metadata", "checkpoint": {"step", "epoch"},
               "other",
               "nodes": [{"name", "type"}],
               "groups": [{"name", "dtype", "arrays", "bytes"}],
               "arrays": [{"name", "group", "dtype", "shape", "bytes"}]}
        """,
        argument("model"),
        JSON,
    ),
    Command(
        "verify",
        "Check that model files are complete and undamaged.",
        """
        Compare every MODEL with its checksums; show what is damaged, and what can still be read.

        The exit status is 0 if all files are intact, 1 if one is damaged or has another id than --id, and 2 if one does
        not exist or is not a model file. No plugin is imported, no network is built.

        \b
        Examples:
          modnet verify models/*.modnet
          modnet verify penguins.modnet --id 4c1d5e90

        \b
        JSON: [{"file", "whole", "error", "bytes", "id",
               "segments": [{"group", "offset", "bytes", "whole", "missing",
               "arrays": [name]}]}]
        """,
        argument("models", metavar="MODEL...", type=click.Path(), nargs=-1, required=True),
        option("--id", metavar="ID", help="The id that MODEL must have, or its beginning: 8 to 64 digits."),
        JSON,
    ),
    Command(
        "card",
        "Write a model card: a page that describes a model.",
        """
        Write a model card from what a model file knows: Markdown with the metadata that the Hugging Face hub reads.

        It says what the model predicts from which columns, with their ranges and categories, how it was trained, its
        figures, its origin, its limits, and how to load it. `license`, `datasets` (separated by commas), `description`
        and `author` are taken from the metadata. No plugin is imported, no network is built. An earlier card is
        replaced; any other file is not.

        \b
        Examples:
          modnet card penguins.modnet
          modnet edit penguins.modnet -o penguins.modnet --set-metadata license=mit
          modnet card penguins.modnet -o README.md
        """,
        argument("model"),
        file("-o", "--output", help="The file to write; by default the screen."),
    ),
    Command(
        "diff",
        "Show the differences between two model files.",
        """
        Show the differences between two model files: spec, origins of components, table, figures, and arrays.

        The exit status is 0 if they have the same values, 1 if they differ, and 2 if one cannot be read. No plugin
        is imported, no network is built.

        \b
        Example:
          modnet diff before.modnet after.modnet

        \b
        JSON: {"a", "b", "same", "identical", "header": [{"path", "a", "b"}],
               "only_in_a": [{"group", "name"}], "only_in_b": [{"group", "name"}],
               "arrays": [{"group", "name", "dtypes", "shapes", "differing",
               "largest", "mean"}]}
        """,
        argument("a"),
        argument("b"),
        JSON,
    ),
    Command(
        "edit",
        "Change a model file: drop, convert, rename, merge, annotate.",
        """
        Write a changed copy of a model file, or change it in place.

        Everything else stays unchanged. No plugin is imported and no network is built, except with --fold. OUT is
        replaced completely or not at all. A damaged MODEL is refused, unless the damage is in a part that is removed.

        \b
        Examples:
          modnet edit step-4800.modnet -o digits.modnet --drop-resume-state
          modnet edit digits.modnet -o small.modnet --cast float16 --drop-history
          modnet edit digits.modnet -o fast.modnet --fold
          modnet edit digits.modnet -o digits.modnet --set-metadata author=Ada
          modnet edit digits.modnet -o merged.modnet --take linear_1=letters.modnet
        """,
        argument("model"),
        option(
            "-o",
            "--output",
            metavar="OUT",
            type=click.Path(),
            required=True,
            help="The file to write; MODEL itself to change it in place.",
        ),
        option(
            "--drop-resume-state",
            is_flag=True,
            help="Remove what is only needed to resume the training, such as the optimizer's arrays: a checkpoint "
            "becomes a model.",
        ),
        option("--drop-history", is_flag=True, help="Remove the figures of each epoch."),
        option(
            "--fold",
            is_flag=True,
            help="Multiply layers that only scale and shift (batch_norm) into the weights next to them, and leave out "
            "dropout: the same predictions up to rounding, in fewer steps. Keep MODEL for further training.",
        ),
        option(
            "--cast",
            type=click.Choice(["float16", "float32", "float64"]),
            help="Convert the numbers. float16 is only for storage: loading converts it back.",
        ),
        pairs(
            "--set-metadata",
            "entries",
            metavar="KEY=VALUE",
            help="Set an entry of the metadata to a text.",
        ),
        pairs(
            "--set-metadata-json",
            "values",
            metavar="KEY=JSON",
            help="Set an entry of the metadata to a number, list or other value.",
        ),
        pairs(
            "--remove-metadata",
            "removed",
            metavar="KEY",
            help="Remove an entry of the metadata.",
        ),
        pairs(
            "--take",
            "taken",
            metavar="NODE=FILE",
            help="Take the arrays of a node from another model file.",
        ),
        pairs(
            "--rename",
            "renamed",
            metavar="OLD=NEW",
            help="Rename a node, in the spec and in its arrays.",
        ),
    ),
    Command(
        "convert",
        "Convert a model into another format, or from one.",
        """
        Write the model SOURCE as TARGET, in the format of the ending of TARGET.

        Formats come from plugins: .onnx from modnet-onnx. If something cannot be converted, everything of this kind is
        listed with the reasons, and nothing is written.

        \b
        Examples:
          modnet convert penguins.modnet penguins.onnx
          modnet convert digits.modnet digits.onnx --option opset=18
        """,
        argument("source"),
        argument("target"),
        pairs("--option", "options", metavar="NAME=VALUE", help="An option of the format, such as opset=18."),
        PLUGIN,
    ),
)
