"""Plugins that misbehave, with what modnet says: `python -m tests.plugins.misbehaviour` prints them as a table.

`test_misbehaving.py` installs each, and compares the whole message.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import modnet
from tests.plugins.projects import Project, Site

HERE = modnet.__version__

GATE = """\
import modnet


class {cls}(modnet.Layer, type="{type}"{options}):
    "The identity."
{body}
    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        return x

    def backward(self, context, gradient):
        return gradient
"""

SPEC = """\
[network]
input = [2]
layers = ["{layer}"]

[training]
loss = "mse"

[data]
train = "{data}"
"""

REGISTER = """

modnet.default_registry().register(Gate)
"""

SAVE = """\
import modnet

network = modnet.build({{"network": {{"input": [2], "layers": ["{layer}"]}}}})
modnet.save(network, "model.modnet")
"""


def gate(type, body="", options="", cls="Gate"):
    """The code of a plugin with a layer that does nothing."""
    return GATE.format(type=type, body=f"    {body}\n" if body else "", options=options, cls=cls)


def plugin(name, code, value="Gate", **options):
    """A plugin modnet-NAME with the layer NAME."""
    return Project(f"modnet-{name}", code, {("modnet.layers", name): value}, **options)


def hooks(name, code):
    """A plugin modnet-NAME with hooks, which it calls "hooks", as anybody may."""
    return Project(f"modnet-{name}", f"import modnet\n\n\n@modnet.hookimpl\n{code}\n", {("modnet", "hooks"): ""})


@dataclass(frozen=True)
class Case:
    """A plugin that misbehaves.

    Attributes:
        what: it does, in words.
        projects: what is installed; all cases share one environment.
        act: makes it show: site -> what is printed about it.
        says: what is to be printed, the whole of it.
    """

    what: str
    projects: tuple[Project, ...]
    act: Callable[[Site], str] = field(repr=False)
    says: str


def failing(outcome):
    """What a process has printed that was to fail because of its input."""
    status, printed, told = outcome
    assert status == 2, outcome
    return (printed + told).rstrip()


def checking(layer):
    """Checks a spec that names a layer."""

    def act(site):
        (site.work / "spec.toml").write_text(SPEC.format(layer=layer, data="data.csv"))
        return failing(site.modnet("check", "spec.toml"))

    return act


def training_on(name):
    """Trains a network of built-in layers on a file of that name."""

    def act(site):
        (site.work / "spec.toml").write_text(SPEC.format(layer="relu", data=name))
        (site.work / name).write_text("1 2\n")
        return failing(site.modnet("train", "spec.toml"))

    return act


def opening(name):
    """Opens a file that is no model file of modnet's."""

    def act(site):
        (site.work / name).write_text("1 2\n")
        return failing(site.modnet("predict", name, name))

    return act


def warned(plugin):
    """What the list of commands says of a plugin."""

    def act(site):
        status, printed, told = site.modnet("--help")
        assert status == 0, told
        assert "\nFrom data to a model:\n" in printed
        return "\n".join(line for line in told.splitlines() if plugin in line)

    return act


def saved(layer, *later, gone=()):
    """Opens a model file that was saved before other things were installed."""

    def act(site):
        assert site.script(SAVE.format(layer=layer)) == (0, "", "")
        site.uninstall(*gone)
        site.install(*later)
        return failing(site.modnet("summary", "model.modnet"))

    return act


def slowest(site):
    """The first row of the table of times, with # for the time."""
    status, printed, told = site.modnet("plugins", "--times")
    assert (status, told) == (0, "")
    return re.sub(r"[0-9.]+ ms", "# ms", " ".join(printed.splitlines()[1].split()))


def from_a_script(site):
    """What saving says, in a script that defines a layer of its own."""
    status, printed, told = site.script(gate("mine") + REGISTER + SAVE.format(layer="mine"))
    assert (status, printed) == (0, "")
    return warning_in(told, site)


def from_a_notebook(site):
    """The same in a session, where the cell that defines the layer is run twice, and the file is loaded again."""
    cell = repr(gate("mine") + REGISTER)
    session = f"exec({cell})\nexec({cell})\n{SAVE.format(layer='mine')}modnet.load('model.modnet').predict([[1, 2]])\n"
    status, printed, told = site.python("-", entered=session)
    assert (status, printed) == (0, "")
    return warning_in(told, site)


def warning_in(told, site):
    (text,) = re.findall(r"UserWarning: (.*)", told)
    return f"UserWarning: {text.replace(f'{site.work}/', '')}"


def elsewhere(site):
    """Opening the file of a script in another process."""
    from_a_script(site)
    return failing(site.modnet("summary", "model.modnet"))


CASES = (
    Case(
        "fails at import",
        (plugin("haar", "import pywavelets_\n"),),
        checking("haar"),
        'error: layer "haar" of modnet-haar 1.0 (modnet_haar:Gate) cannot be imported: '
        "ModuleNotFoundError: No module named 'pywavelets_'",
    ),
    Case(
        "fails at import, used by a model file",
        (plugin("sine", gate("sine")),),
        saved("sine", plugin("sine", "1 / 0\n")),
        'error: layer "sine" of modnet-sine 1.0 (modnet_sine:Gate) cannot be imported: ZeroDivisionError: '
        "division by zero",
    ),
    Case(
        "names a class that is not there",
        (plugin("lost", gate("lost"), value="Lost"),),
        checking("lost"),
        'error: layer "lost" of modnet-lost 1.0 (modnet_lost:Lost) cannot be imported: '
        "AttributeError: module 'modnet_lost' has no attribute 'Lost'",
    ),
    Case(
        "offers what is no component",
        (plugin("plain", "class Gate: ...\n"),),
        checking("plain"),
        'error: layer "plain" of modnet-plain 1.0 (modnet_plain:Gate) is not a subclass of modnet.Layer',
    ),
    Case(
        "calls its class otherwise than its entry point",
        (plugin("alias", gate("gate")),),
        checking("alias"),
        'error: layer "alias" of modnet-alias 1.0 (modnet_alias:Gate) has the type name "gate"; entry '
        "point and class must have the same name",
    ),
    Case(
        "offers a name that another one offers",
        (
            Project("modnet-doors", gate("portal"), {("modnet.layers", "portal"): "Gate"}),
            Project("modnet-gates", gate("portal"), {("modnet.layers", "portal"): "Gate"}),
        ),
        checking("portal"),
        'spec.toml:3:11: network.layers[0]: 2 plugins offer the layer "portal"; write portal@modnet-doors or '
        'portal@modnet-gates\n     3 | layers = ["portal"]\n       |           ^^^^^^^^\n1 problem in spec.toml',
    ),
    Case(
        "is removed after saving",
        (plugin("gone", gate("gone")),),
        saved("gone", gone=("modnet-gone",)),
        'error: this model needs layer "gone" of modnet-gone 1.0, which is not installed:  pip install '
        "modnet-gone==1.0",
    ),
    Case(
        "no longer has the type after saving",
        (plugin("fewer", gate("fewer")),),
        saved("fewer", Project("modnet-fewer", gate("rest"), {("modnet.layers", "rest"): "Gate"}, version="2.0")),
        'error: this model needs layer "fewer" of modnet-fewer 1.0; the installed version does not have it:  '
        "pip install modnet-fewer==1.0",
    ),
    Case(
        "is older than the one that saved",
        (plugin("back", gate("back", options=", version=3"), version="2.0"),),
        saved("back", plugin("back", gate("back", options=", version=2"))),
        'error: this model needs version 3 of layer "back", which is in modnet-back 2.0; version 2 is '
        "installed:  pip install 'modnet-back>=2.0'",
    ),
    Case(
        "cannot upgrade what an older one saved",
        (plugin("forth", gate("forth")),),
        saved(
            "forth",
            plugin(
                "forth",
                gate("forth", options=", version=2")
                + "    @classmethod\n    def upgrade(cls, config, from_version):\n        return config['size']\n",
                version="2.0",
            ),
        ),
        'error: layer "forth" of modnet-forth 2.0 (modnet_forth:Gate) cannot be upgraded from version 1 to 2: '
        "KeyError: 'size'",
    ),
    Case(
        "renames a field, and says nothing",
        (plugin("wide", gate("wide", "size: int = 1")),),
        saved("wide", plugin("wide", gate("wide", "width: int = 1"), version="2.0")),
        "error: model.modnet: header.spec: network.layers[0].size: unknown key; expected one of: width, type, name, "
        "inputs, activation, trainable, shares, l1, l2, learning_rate, weight_decay\nwritten with modnet-wide 1.0, but "
        "2.0 is installed:  pip install modnet-wide==1.0",
    ),
    Case(
        "asks for an argument that its hook has not",
        (hooks("sig", "def modnet_read_data(file): ..."),),
        warned("modnet-sig"),
        'warning: hooks "hooks" of modnet-sig 1.0 (modnet_sig): modnet_read_data(file) requires file, but the hook is '
        "modnet_read_data(path, options); for details: modnet plugins --errors",
    ),
    Case(
        "implements a hook that there is not",
        (hooks("typo", "def modnet_reed_data(path): ..."),),
        warned("modnet-typo"),
        'warning: hooks "hooks" of modnet-typo 1.0 (modnet_typo): there is no hook modnet_reed_data; did you mean '
        '"modnet_read_data"?; for details: modnet plugins --errors',
    ),
    Case(
        "has hooks that fail at import",
        (Project("modnet-crash", "1 / 0\n", {("modnet", "hooks"): ""}),),
        warned("modnet-crash"),
        'warning: hooks "hooks" of modnet-crash 1.0 (modnet_crash) cannot be imported: ZeroDivisionError: division by '
        "zero; for details: modnet plugins --errors",
    ),
    Case(
        "takes the name of a command",
        (hooks("takes", "def modnet_commands(cli):\n    @cli.command()\n    def train(): ..."),),
        warned("modnet-takes"),
        'warning: the command "train" of modnet-takes 1.0 is left out: modnet itself has a command with that name',
    ),
    Case(
        "raises in its hook for commands",
        (hooks("commands", "def modnet_commands(cli):\n    cli.comand()"),),
        warned("modnet-commands"),
        'warning: its commands are left out: hooks "hooks" of modnet-commands 1.0 (modnet_commands): modnet_commands '
        "raised AttributeError: 'Group' object has no attribute 'comand'",
    ),
    Case(
        "raises in its hook for data",
        (hooks("rows", "def modnet_read_data(path):\n    return [1 / 0] if path.suffix == '.rows' else None"),),
        training_on("data.rows"),
        'error: hooks "hooks" of modnet-rows 1.0 (modnet_rows): modnet_read_data raised ZeroDivisionError: division by '
        "zero",
    ),
    Case(
        "gives data of no use in its hook",
        (hooks("lists", "def modnet_read_data(path):\n    return [[1, 2]] if path.suffix == '.lists' else None"),),
        training_on("data.lists"),
        'error: hooks "hooks" of modnet-lists 1.0 (modnet_lists): modnet_read_data gave [[1, 2]]; expected a Table, '
        "a data frame, a dict from column name to a list of values, or a dict from name to array, or None for what it "
        "does not handle",
    ),
    Case(
        "gives what is no network in its hook",
        (hooks("weights", "def modnet_import(path):\n    return [1.0] if path.suffix == '.weights' else None"),),
        opening("model.weights"),
        'error: hooks "hooks" of modnet-weights 1.0 (modnet_weights): modnet_import gave [1.0]; expected a '
        "modnet.Network, or None for what it does not handle",
    ),
    Case(
        "imports slowly (`modnet plugins --times`)",
        (plugin("slow", "import time\n\ntime.sleep(1.5)\n" + gate("slow")),),
        slowest,
        "layer slow 1 modnet-slow 1.0 # ms modnet_slow:Gate",
    ),
    Case(
        "is a class of a script (`registry.register`), saved",
        (),
        from_a_script,
        'UserWarning: model.modnet needs the layer "mine" of __main__:Gate (script.py), which is not part of an '
        "installed distribution; to load the file, register it first (modnet.default_registry().register, or --plugin "
        "FILE)",
    ),
    Case(
        "is a class of a notebook's cell, run twice, saved",
        (),
        from_a_notebook,
        'UserWarning: model.modnet needs the layer "mine" of __main__:Gate (a notebook or an interactive '
        "session), which is not part of an installed distribution; to load the file, register it first "
        "(modnet.default_registry().register, or --plugin FILE)",
    ),
    Case(
        "is a class of a script, loaded elsewhere",
        (),
        elsewhere,
        'error: this model needs layer "mine", which was defined by the program that saved it; register it first '
        "(modnet.default_registry().register, or --plugin FILE)",
    ),
)


def table():
    """The cases in Markdown."""
    yield "| a plugin that ... | what modnet says |"
    yield "|---|---|"
    for case in CASES:
        lines = case.says.replace("|", "\\|").splitlines()
        yield f"| {case.what} | {'<br>'.join(f'`{line.strip()}`' for line in lines)} |"


if __name__ == "__main__":
    print("\n".join(table()))
