import json

import pytest


@pytest.mark.slow
def test_a_model_predicts_where_only_the_core_is_installed(examples, fresh_environment):
    fresh_environment.install("modnet-core")
    installed = {row["name"] for row in json.loads(fresh_environment.pip("list", "--format", "json"))}
    assert installed == {"modnet-core", "numpy", "pluggy", "msgpack"}
    printed = fresh_environment.run(examples / "inference", "python", "predict.py", "digits.modnet", "seven.txt")
    assert printed.startswith("seven.txt: 7 (probability ")


def test_the_model_reads_the_digits(examples, modnet):
    printed = modnet(examples / "digits", "evaluate", "../inference/digits.modnet", "digits.npz", "--json")
    assert json.loads(printed)["metrics"]["accuracy"] > 0.97
    assert (examples / "inference" / "digits.modnet").stat().st_size < 100_000
