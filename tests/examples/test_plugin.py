import shutil

import pytest


def test_its_own_tests_pass(examples, python):
    python(examples / "plugin", "-m", "pytest", "tests")


@pytest.mark.slow
def test_from_its_wheel_to_its_removal(examples, tmp_path, fresh_environment, build_wheel):
    folder = examples / "plugin"

    def modnet(*arguments, status=0):
        return fresh_environment.run(folder, "modnet", *arguments, status=status)

    build_wheel(folder, tmp_path / "good")
    fresh_environment.install("modnet-core[cli]", *(tmp_path / "good").glob("*.whl"))
    listed = modnet("plugins")
    assert all(name in listed for name in ("haar", "snake", "log_cosh"))
    modnet("train", "passengers.toml", "--set", "training.epochs=20")
    title, passengers, *_ = modnet("predict", "passengers.modnet", "next.csv").splitlines()
    assert title == "passengers"
    assert 300 < float(passengers) < 700
    assert "modnet-signals 0.1.0" in modnet("inspect", "passengers.modnet")

    fresh_environment.pip("uninstall", "--quiet", "--yes", "modnet-signals")
    message = modnet("predict", "passengers.modnet", "next.csv", status=2)
    assert 'layer "haar" of modnet-signals 0.1.0, which is not installed:  pip install modnet-signals==0.1.0' in message
    assert 'unknown layer "haar"' in modnet("train", "passengers.toml", status=2)

    broken = shutil.copytree(folder, tmp_path / "broken source")
    source = (broken / "modnet_signals.py").read_text()
    (broken / "modnet_signals.py").write_text(source.replace("import math\n", "import math\nimport not_there\n"))
    build_wheel(broken, tmp_path / "broken")
    fresh_environment.install(*(tmp_path / "broken").glob("*.whl"))
    message = modnet("predict", "passengers.modnet", "next.csv", status=2)
    assert "modnet-signals 0.1.0 (modnet_signals:Haar) cannot be imported: ModuleNotFoundError" in message
    assert "pip install" not in message
    assert "broken" in modnet("plugins")
