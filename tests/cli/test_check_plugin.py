"""modnet check-plugin"""

import json
import re

from modnet.activations import Tanh
from modnet.testing import examine

DOUBLE = """\
import numpy as np
from modnet import Activation

class Double(Activation, type="double"):
    "y = 2 x"
    needs_input = False

    def function(self, x, out):
        return np.multiply(x, 2, out=out)

    def derivative(self, x, y, out):
        out.fill(SLOPE)
        return out
"""


HOOKS = """
import modnet

@modnet.hookimpl
def modnet_read_data(file): ...
"""


def test_a_plugin_that_keeps_its_contract(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "2"), activations={"double": "Double"})
    heading, row, *reasons, last = run("check-plugin", "modnet-double").output.splitlines()
    assert re.split(" {2,}", heading) == ["kind", "type", "uses", "passed", "failed", "not applicable", "not examined"]
    kind, name, uses, passed, failed, inapplicable, unexamined = row.split()
    assert (kind, name, uses, failed, unexamined) == ("activation", "double", "3", "0", "0")
    rules = len(examine(Tanh(), (3,)).rows)
    assert int(passed) + int(inapplicable) == rules, "each rule counts once, and not for each use"
    assert "not applicable: promises: it makes no promise about its numbers" in reasons
    assert last == "1 component of modnet-double: all keep their contract"


def test_a_plugin_that_does_not(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "1"), activations={"double": "Double"})
    printed = run("check-plugin", "modnet-double", status=1).output
    assert printed.splitlines()[1].split()[4] == "1"
    for shape in ("(6,)", "(5, 4)", "(6, 4, 3)"):  # each of its uses
        use = f'    activation "double" Double() on {shape}: input: along one direction finite differences'
        assert f"{use} give a slope of " in printed
    assert ": a relative error of 0.5; at most 1e-06 is expected" in printed
    assert printed.count("      Derive backward from forward again") == 1, "once, and not for each of its uses"
    assert printed.count("  gradients:\n") == 1
    assert "not examined: gradients in prediction, " in printed
    assert ': because "gradients" failed\n' in printed
    assert printed.endswith("1 component of modnet-double: 1 broken\n")


def test_what_is_missing_to_examine_a_rule_is_said(environment, run, monkeypatch):
    monkeypatch.setattr("modnet.testing.rules.component.find_spec", lambda name: None)
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "2"), activations={"double": "Double"})
    printed = run("check-plugin", "modnet-double").output
    assert "\nnot examined: JSON Schema: jsonschema is not installed: pip install jsonschema\n" in printed


def test_rule_by_rule(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "2"), activations={"double": "Double"})
    printed = run("check-plugin", "modnet-double", "--rules").output
    assert 'activation "double" Double() on (6,)\n' in printed
    assert 'activation "double" Double() on (6, 4, 3)\n' in printed
    assert re.search(r"^gradients +passed +relative error \d", printed, re.MULTILINE)


def test_kernels_and_hooks(environment, run):
    code = DOUBLE.replace("SLOPE", "2") + HOOKS + "def kernel(component, dtype): return lambda context, x: x\n"
    kernels = {"activation.double.forward": "kernel"}
    environment.install("modnet-double", code, activations={"double": "Double"}, kernels=kernels)
    with (environment.folder / "modnet_double-1.0.dist-info" / "entry_points.txt").open("a") as file:
        file.write("\n[modnet]\ndouble = modnet_double\n")
    printed = run("check-plugin", "modnet-double", status=1).output
    assert re.search("^kernel +activation.double.forward +3 +1 +1 ", printed, re.MULTILINE)
    assert re.search(r"  agrees:\n    kernel .*: float32, ", printed)
    assert re.search("^hooks +double +1 +0 +1 ", printed, re.MULTILINE)
    assert 'hooks "double" of modnet-double 1.0 (modnet_double): modnet_read_data(file) requires' in printed
    assert printed.endswith("1 component, 1 kernel, 1 hook module of modnet-double: 2 broken\n")


def test_what_cannot_be_imported_is_broken(environment, run):
    environment.install("modnet-double", "import not_there", activations={"double": "Double"})
    printed = run("check-plugin", "modnet-double", status=1).output
    assert "  imports:\n    activation double: ModuleNotFoundError: No module named 'not_there'" in printed


def test_json(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "1"), activations={"double": "Double"})
    reports = json.loads(run("check-plugin", "modnet-double", "--json", status=1).output)
    assert [list(report) for report in reports] == [["kind", "type", "label", "rules"]] * 3
    rules = {row["rule"]: row for row in reports[0]["rules"]}
    assert rules["shapes"]["status"] == "passed"
    assert rules["gradients"]["status"] == "failed"
    assert rules["gradients"]["remedy"].startswith("Derive backward from forward again")
    assert rules["writes gradients"]["status"] == "not examined"


def test_old_files_of_a_plugin_that_is_installed_from_a_folder(environment, run, folder):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "2"), activations={"double": "Double"})
    source = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    (environment.folder / "modnet_double-1.0.dist-info" / "direct_url.json").write_text(json.dumps(source))
    files = folder / "tests" / "files"
    files.mkdir(parents=True)
    (files / "double-1.modnet").write_bytes(b"no model file")
    printed = run("check-plugin", "modnet-double", status=1).output
    assert re.search("^file +double-1.modnet +1 +0 +1 ", printed, re.MULTILINE)
    assert "  opens:\n    file " in printed
    assert printed.endswith("1 component, 1 old file of modnet-double: 1 broken\n")


def test_an_unknown_distribution(environment, run):
    environment.install("modnet-double", DOUBLE, activations={"double": "Double"})
    printed = run("check-plugin", "modnet-duoble", status=2).output
    assert 'error: modnet-duoble is not installed; did you mean "modnet-double"?' in printed


def test_a_distribution_without_components(run):
    assert run("check-plugin", "numpy").output == "numpy offers no components, kernels or hooks: nothing to examine\n"
