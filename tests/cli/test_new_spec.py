"""modnet new-spec"""

import os
import re
import tomllib
from pathlib import Path

import pytest

from modnet.plugins.registry import Registry


def test_it_prints_a_spec_that_trains(run):
    Path("first.toml").write_text(run("new-spec", "pets.csv", "--target", "kind").stdout)
    assert "no problems" in run("check", "first.toml").stdout
    assert "val accuracy 1.000" in run("train", "first.toml", "--set", "training.epochs=20").stdout


def test_paths_are_those_seen_from_the_spec(run, folder):
    (folder / "specs").mkdir()
    shown = run("new-spec", "pets.csv", "--target", "kind", "-o", "specs/pets.toml").stdout
    assert shown.startswith("specs/pets.toml\n  kind (2 classes) from ../pets.csv: 80 rows\n")
    assert shown.endswith("\nnext: modnet train specs/pets.toml\n")
    assert 'train = "../pets.csv"' in Path("specs/pets.toml").read_text()
    run("check", "specs/pets.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--target", "kind"], "standard input: expected a file, as the spec names it; save the table to one"),
        (["pets.csv", "--target", "kind", "--encoding", "utf-9"], "utf-9"),
        (["pets.csv", "--target", "knd"], 'pets.csv: no column "knd" (did you mean "kind"?)'),
        (["points.npz", "--target", "y"], "expected a table, found arrays"),
        (["pets.csv", "--target", "kind", "--effort", "bst"], "'bst' is not one of 'quick', 'good', 'best'"),
    ],
)
def test_faults(run, arguments, message):
    assert message in run("new-spec", *arguments, status=2).stderr


def test_a_file_whose_name_is_not_utf_8_is_refused(run, folder):
    name = os.fsdecode(b"caf\xe9.csv")
    (folder / name).write_bytes((folder / "pets.csv").read_bytes())
    result = run("new-spec", name, "--target", "kind", "-o", "s.toml", status=2)
    assert "this name is not valid UTF-8 and cannot be written in a spec; rename the file" in result.stderr
    assert not (folder / "s.toml").exists()


def test_a_line_break_in_the_name_of_a_file_puts_no_line_into_the_spec(run, folder):
    name = "pets.csv\nepochs = 0\n#.csv"
    (folder / name).write_bytes((folder / "pets.csv").read_bytes())
    run("new-spec", name, "--target", "kind", "-o", "s.toml")
    assert not any(line.startswith("epochs = 0") for line in (folder / "s.toml").read_text().splitlines())
    run("check", "s.toml")


def test_what_comes_next_can_be_typed(run, folder):
    shown = run("new-spec", "pets.csv", "--target", "kind", "-o", "my pets.toml").stdout
    assert shown.endswith("\nnext: modnet train 'my pets.toml'\n")
    shown = run("train", "my pets.toml", "--set", "training.epochs=1").stdout
    assert shown.endswith("\nnext: modnet predict 'my pets.modnet' NEW.csv\n")


def test_without_a_target_the_columns_are_listed(run):
    result = run("new-spec", "pets.csv", status=2)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == "pets.csv: 80 rows, 3 columns; say with --target which of them to predict"
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["column", "kind"],
        ["kind", "category"],
        ["size", "number"],
        ["collar", "category"],
    ]
    assert lines[-1] == "perhaps: modnet new-spec pets.csv --target collar"  # the last one


@pytest.mark.parametrize("name", ["target", "Label", "class", "y", "species"])
def test_a_column_of_a_usual_name_is_proposed(run, name):
    text = Path("pets.csv").read_text()
    Path("pets.csv").write_text(text.replace("kind", name, 1))
    assert f"perhaps: modnet new-spec pets.csv --target {name}\n" in run("new-spec", "pets.csv", status=2).stderr


def test_what_is_left_out_is_said_in_the_list(run):
    rows = "".join(f"{place},{place % 2},{place * 7 % 13}\n" for place in range(60))
    Path("more.csv").write_text("id,y,x\n" + rows)
    assert re.search(r"^id +left out: a running number +0, 1, 2$", run("new-spec", "more.csv", status=2).stderr, re.M)


def test_what_was_assumed_is_said(run):
    rows = "".join(f'{place},"{place % 7},5 kg",{place % 28 + 1:02d}.03.2024,{place % 2}\n' for place in range(60))
    Path("more.csv").write_text("id,weight,day,y\n" + rows)
    shown = run("new-spec", "more.csv", "--target", "y", "-o", "more.toml").stdout
    assert re.search(r'^  day: dates written as "01\.03\.2024" \(%d\.%m\.%Y\)$', shown, re.M), shown
    assert re.search(r"^  weight: numbers written as .*kg", shown, re.M), shown
    assert "  left out: id (a running number)" in shown
    run("check", "more.toml")


def test_how_a_file_is_read_goes_into_the_spec(run):
    rows = "".join(f"caf\xe9;{place % 9},5;{'oui' if place % 2 else 'non'}\n" for place in range(60))
    Path("odd.csv").write_bytes(("Report of 2024\n\nplace;size;kind\n" + rows).encode("cp1252"))
    options = ["--encoding", "cp1252", "--delimiter", ";", "--header", 3, "--decimal", ","]
    run("new-spec", "odd.csv", "--target", "kind", "-o", "odd.toml", *options)
    spec = tomllib.loads(Path("odd.toml").read_text())
    expected = {"encoding": "cp1252", "delimiter": ";", "header": 3, "decimal": ","}
    assert {name: spec["data"][name] for name in expected} == expected
    assert "no problems" in run("check", "odd.toml").stdout
    assert "--delimiter ';' --decimal , --header 3" in run("new-spec", "odd.csv", *options, status=2).stderr


def test_a_tab_can_be_typed(run):
    text = Path("pets.csv").read_text().replace(",", "\t")
    Path("pets.txt").write_text(text)
    Path("pets.csv").write_text(text)
    run("new-spec", "pets.csv", "--target", "kind", "--delimiter", "tab", "-o", "tabs.toml")
    assert 'delimiter = "\\t"' in Path("tabs.toml").read_text()
    run("check", "tabs.toml")


def test_several_targets(run):
    rows = "".join(f"{place * 7 % 13}.5,{place}.25,{place * place}.75\n" for place in range(60))
    Path("more.csv").write_text("x,a,b\n" + rows)
    run("new-spec", "more.csv", "--target", "a", "--target", "b", "-o", "more.toml")
    assert tomllib.loads(Path("more.toml").read_text())["data"]["target"] == ["a", "b"]
    run("check", "more.toml")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("kind", "kind"), 'pets.csv: the target "kind" is given twice; give each target once'),
        (("kind", "size", "collar"), "pets.csv: all 3 columns are targets; there must be a column to predict from"),
    ],
)
def test_targets_that_leave_nothing_are_refused_in_plain_words(run, targets, message):
    told = run("new-spec", "pets.csv", *(word for name in targets for word in ("--target", name)), status=2).stderr
    assert told == f"error: {message}\n"


def test_a_table_of_one_column_has_nothing_to_predict_from(run):
    Path("one.csv").write_text("a\n1\n2\n")
    told = run("new-spec", "one.csv", "--target", "a", status=2).stderr
    assert told == "error: one.csv: its only column is the target; there must be a column to predict from\n"


def test_a_column_of_many_categories_has_an_embedding_in_a_spec_that_can_be_read(run):
    rows = "".join(f"{place % 100:05d},{place % 7}.5,{place * place % 101}.25\n" for place in range(600))
    Path("many.csv").write_text("zip,x,y\n" + rows)
    run("new-spec", "many.csv", "--target", "y", "-o", "many.toml")
    assert tomllib.loads(Path("many.toml").read_text())["data"]["inputs"] == {"numbers": ["x"], "zip": ["zip"]}
    shown = run("check", "many.toml").stdout
    assert re.search(r"^zip +category of 100, embedding +code +00000 -> 1 +00001 -> 2$", shown, re.MULTILINE), shown


def test_each_effort_says_what_the_others_take_and_trains(run):
    for effort in ("quick", "good"):
        shown = run("new-spec", "pets.csv", "--target", "kind", "--effort", effort, "-o", f"{effort}.toml").stdout
        assert re.search(r"^  training takes about \d+ s on one core \(with --effort \w+ about \d+ s, ", shown, re.M)
        run("train", f"{effort}.toml", "--set", "training.epochs=2")
    members = [
        tomllib.loads(Path(f"{effort}.toml").read_text())["network"].get("members") for effort in ("quick", "good")
    ]
    assert members == [None, 5]


def test_the_best_needs_its_plugin(run, monkeypatch):
    monkeypatch.setattr(Registry, "names", lambda self, kind: ["linear"])
    told = run("new-spec", "pets.csv", "--target", "kind", "--effort", "best", status=None).stderr
    assert "uses the plugin modnet-tabular, which is not installed:  pip install modnet-tabular" in told


def test_the_best_trains(run):
    pytest.importorskip("modnet_tabular", reason="install the plugin modnet-tabular")
    for target in ("kind", "size"):
        run("new-spec", "pets.csv", "--target", target, "--effort", "best", "-o", f"{target}.toml")
        run("train", f"{target}.toml", "--set", "training.epochs=2")


def test_a_class_and_a_number_together(run):
    run("new-spec", "pets.csv", "--target", "kind,size", "-o", "both.toml")
    shown = run("train", "both.toml", "--set", "training.epochs=2").stdout
    assert "val kind accuracy" in shown
    assert "val size r2" in shown


def test_rows_of_the_same_person_and_rows_in_time_are_set_aside_together(run):
    rows = "".join(f"{place // 4},{place * 7 % 13}.5,{place * place % 11}\n" for place in range(120))
    Path("visits.csv").write_text("patient,x,y\n" + rows)
    shown = run("new-spec", "visits.csv", "--target", "y", "-o", "visits.toml").stdout
    assert "  patient: 120 rows of 30; all rows of one are on the same side of the split" in shown
    assert "by group patient: 24 and 6 of 30 groups" in run("check", "visits.toml").stdout
    rows = "".join(f"2024-{1 + place // 28:02}-{1 + place % 28:02},{place * 7 % 13}\n" for place in range(120))
    Path("days.csv").write_text("day,y\n" + rows)
    run("new-spec", "days.csv", "--target", "y", "-o", "days.toml")
    assert "by time day: validation from 2024-04-13" in run("check", "days.toml").stdout
