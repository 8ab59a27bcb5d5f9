"""modnet check-plugin"""

import json

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


def test_a_plugin_that_keeps_its_contract(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "2"), activations={"double": "Double"})
    result = run("check-plugin", "modnet-double")
    first, last = result.output.splitlines()
    assert first.split() == ["activation", "double", *first.split()[2:3], "rules", "passed", "in", "3", "uses"]
    assert last == "1 component of modnet-double: all keep their contract"


def test_a_plugin_that_does_not(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "1"), activations={"double": "Double"})
    printed = run("check-plugin", "modnet-double", status=1).output
    assert "3 failed" in printed
    assert "  gradients: relative error of the gradient of input by 0.5; at most 1e-06 is expected" in printed
    assert "      Derive backward anew from forward" in printed
    assert printed.count("gradients:") == 1, "once, and not for each of its uses"
    assert printed.endswith("1 component of modnet-double: 1 broken\n")


def test_what_cannot_be_imported_is_broken(environment, run):
    environment.install("modnet-double", "import not_there", activations={"double": "Double"})
    printed = run("check-plugin", "modnet-double", status=1).output
    assert "  imports: ModuleNotFoundError: No module named 'not_there'" in printed


def test_json(environment, run):
    environment.install("modnet-double", DOUBLE.replace("SLOPE", "1"), activations={"double": "Double"})
    reports = json.loads(run("check-plugin", "modnet-double", "--json", status=1).output)
    assert [list(report) for report in reports] == [["kind", "type", "label", "rules"]] * 3
    rules = {row["rule"]: row for row in reports[0]["rules"]}
    assert rules["shapes"]["status"] == "passed"
    assert rules["gradients"]["status"] == "failed"
    assert rules["gradients"]["remedy"].startswith("Derive backward anew")
    assert rules["writes gradients"]["status"] == "not applicable"


def test_an_unknown_distribution(environment, run):
    environment.install("modnet-double", DOUBLE, activations={"double": "Double"})
    printed = run("check-plugin", "modnet-duoble", status=2).output
    assert 'error: modnet-duoble is not installed; did you mean "modnet-double"?' in printed


def test_a_distribution_without_components(run):
    assert run("check-plugin", "numpy").output == "numpy offers no components: nothing to examine\n"
