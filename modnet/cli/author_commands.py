"""The rows of the commands for authors of plugins, and for who has installed some."""

from __future__ import annotations

from pathlib import Path

import click

from modnet.cli.command import JSON, Command
from modnet.cli.command import argument as _argument
from modnet.cli.command import option as _option

PLUGIN_KINDS = (
    "layer",
    "activation",
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "initializer",
    "callback",
    "command",
)
"""What `new-plugin` has templates for; the first three are written by default."""

AUTHORS = (
    Command(
        "plugins",
        "List the components of installed plugins, and what is broken.",
        """
        List the components, kernels and hooks of installed plugins. Each of them is imported, to see if that works.

        With --times, the time of the first component of a package includes what all of them share.

        \b
        Example:
          modnet plugins --all

        \b
        JSON: [{"kind", "type", "version", "plugin", "from", "error", "seconds"}]
        """,
        _option("--all", "everything", is_flag=True, help="The built-in components too."),
        _option("--errors", is_flag=True, help="Only what is broken, with the traceback of each."),
        _option("--times", is_flag=True, help="How long each took to import, the slowest first."),
        JSON,
    ),
    Command(
        "doctor",
        "Show what modnet runs on, what is slow or broken, and why.",
        """
        Show the versions, the processor, the library behind matrix products with its kernel, threads and speed, the
        plugins, the extras that are missing, and the environment variables that matter. Below that it lists what is
        slow or broken, and what to do about it.

        The output does not identify the machine: without --paths no folder is shown, so you can paste it into an issue.

        \b
        Example:
          modnet doctor
          modnet doctor --json

        \b
        JSON: {"modnet", "python", "numpy", "system", "processor": {"name", "cores",
               "usable_cores", "container_cores", "features"},
               "products": {"library", "version", "kernel", "threads"},
               "threads", "load", "variables": {name: value},
               "speed": {"float32", "float64", "float32_one_thread"} in GFLOP/s,
               "kernels": {"used": {plugin: number}, "switched_off", "offered"},
               "plugins": [{"name", "version", "offers", "seconds",
                 "broken": [{"kind", "type", "why"}]}],
               "too_old": [{"distribution", "needs", "installed"}],
               "extras": {name: {"gives", "missing": [library]}},
               "findings": [{"what", "do"}]}
        """,
        _option("--paths", is_flag=True, help="Show folders too: of modnet, of libraries, in errors of plugins."),
        JSON,
    ),
    Command(
        "new-plugin",
        "Write the files of a new plugin.",
        """
        Write a distribution with a layer, an activation and a loss, or with the components of --kind. It also has their
        tests, a spec to train, a README, a licence and a CI file.

        Its name is modnet-NAME, unless NAME begins with modnet- already. It is written to a folder of that name, which
        must not exist yet. Its tests pass without changes, so you can change it piece by piece. The licence is MIT. For
        another one, replace LICENSE and `license` in pyproject.toml.

        \b
        Example:
          modnet new-plugin wave
          modnet new-plugin wave --kind optimizer --kind command
        """,
        _argument("name"),
        _option(
            "--kind",
            "kinds",
            multiple=True,
            metavar="KIND",
            type=click.Choice(PLUGIN_KINDS),
            help=f"What to write: {', '.join(PLUGIN_KINDS)}. Can be given several times; by default layer, activation "
            "and loss.",
        ),
        _option(
            "--core",
            metavar="REQUIREMENT",
            help="The requirement with which its CI file installs modnet-core: 'modnet-core[cli] @ git+URL'. By "
            "default the repository from which pip has installed it here, or modnet-core[cli].",
        ),
        _option(
            "--directory",
            default=".",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Where the plugin's folder is made; by default the current folder.",
        ),
    ),
    Command(
        "check-plugin",
        "Test the components of a plugin.",
        """
        Test everything that the installed DISTRIBUTION offers. Components are tested by the rules of their kind:
        gradients, shapes, dtypes, batches of any size, threads, model files and more. Kernels are compared with the
        numpy code that they replace. Modules with hooks must be importable, and must have hooks that exist. The output
        says what is broken and how to fix it.

        Each component is tried in several uses: its `examples()`, or some made from its defaults. A rule passes or
        fails. It is "not applicable" if it says nothing about such a component, and "not examined" if a library is
        missing, or if a rule that it builds upon has failed. The exit status is 1 if a rule is broken.

        \b
        Example:
          modnet check-plugin modnet-wave

        \b
        JSON: [{"kind", "type", "label",
                "rules": [{"rule", "status", "text", "remedy"}]}]
        """,
        _argument("distribution"),
        _option("--rules", "by_rule", is_flag=True, help="Each rule, for each use that a component was tried in."),
        JSON,
    ),
)
