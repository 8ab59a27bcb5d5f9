"""Which files the plugin takes, and what it says where a library is missing; the commands use it as they use csv."""

import sys

import pytest
from modnet_tables import hooks

import modnet
from modnet.data.options import ReadOptions
from modnet.data.table import Table


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.parquet.txt", "parquet", "a.sqlite"])
def test_what_is_not_its_own_is_left_to_others(tmp_path, name):
    (tmp_path / name).write_text("")
    assert hooks.modnet_read_data(tmp_path / name, ReadOptions()) is None
    assert hooks.modnet_write_data(Table({"a": [1]}), tmp_path / name) is None
    assert hooks.modnet_read_data(tmp_path, ReadOptions()) is None
    assert hooks.modnet_read_url("s3://bucket/a.csv", ReadOptions()) is None


@pytest.mark.parametrize(
    ("name", "library", "module", "extra"),
    [
        ("a.parquet", "pyarrow", "arrow", "parquet"),
        ("a.xlsx", "openpyxl", "excel", "excel"),
        ("a.ods", "python_calamine", "spreadsheets", "spreadsheets"),
        ("cat/a.png", "PIL", "images", "images"),
        ("postgresql://host/db", "sqlalchemy", "sql", "sql"),
    ],
)
def test_a_library_that_is_not_installed(tmp_path, monkeypatch, name, library, module, extra):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"modnet_tables.{module}", raising=False)
    monkeypatch.delattr(f"modnet_tables.{module}", raising=False)
    if "://" in name:
        read, place = hooks.modnet_read_url, name
    else:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
        read, place = hooks.modnet_read_data, tmp_path if "/" in name else tmp_path / name
    with pytest.raises(modnet.MissingExtra, match=rf"is not installed:  pip install 'modnet-tables\[{extra}\]'$"):
        read(place, ReadOptions())


def test_the_commands_read_every_format(tmp_path, monkeypatch):
    testing = pytest.importorskip("click.testing", reason="the command line: pip install 'modnet-core[cli]'")
    from modnet.cli.app import cli

    def done(*arguments):
        found = testing.CliRunner().invoke(cli, arguments)
        assert found.exit_code == 0, found.output
        return found.output

    pytest.importorskip("pyarrow")
    pytest.importorskip("openpyxl")
    monkeypatch.chdir(tmp_path)
    sizes = [float(number % 10) for number in range(60)]
    table = Table({"size": sizes, "kind": ["cat" if size < 5 else "dog" for size in sizes]})
    for name in FILES:
        hooks.modnet_write_data(table, tmp_path / name)
    done("new-spec", "a.parquet", "--target", "kind", "-o", "a.toml")
    done("train", "a.toml", "--set", "training.epochs=2")
    assert "a.feather: 60 rows" in done("evaluate", "a.modnet", "a.feather")
    first, *others = (done("predict", "a.modnet", name) for name in FILES)
    assert others == [first] * len(others)
    assert len(first.splitlines()) == 61


FILES = ("a.parquet", "a.feather", "a.arrows", "a.xlsx")
