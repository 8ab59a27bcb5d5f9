"""The same table in every kind of file that needs no plugin: the commands give the same for all of them."""

import bz2
import csv
import gzip
import json
import sqlite3
import zipfile

import pytest

TEXTS = ("pets.txt", "pets.zip", "pets.zip/pets.csv", "pets.csv.bz2")
KINDS = (*TEXTS, "pets.jsonl", "pets.ndjson", "pets.jsonl.gz", "pets.json", "pets.db", "pets.sqlite/pets")


@pytest.fixture
def written(folder):
    """The table of pets.csv in all kinds of files; the numbers are numbers where a kind knows them."""
    text = (folder / "pets.csv").read_text()
    records = [{**row, "size": float(row["size"])} for row in csv.DictReader(text.splitlines())]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "pets.jsonl").write_text(lines)
    (folder / "pets.ndjson").write_text(lines)
    (folder / "pets.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (folder / "pets.json").write_text(json.dumps(records))
    (folder / "pets.txt").write_text(text.replace(",", "\t"))
    (folder / "pets.csv.bz2").write_bytes(bz2.compress(text.encode()))
    with zipfile.ZipFile(folder / "pets.zip", "w") as archive:
        archive.writestr("pets.csv", text)
    for name, others in (("pets.db", ()), ("pets.sqlite", ("create table staff (name text)",))):
        connection = sqlite3.connect(folder / name)
        for statement in ("create table pets (kind text, size real, collar text)", *others):
            connection.execute(statement)
        connection.executemany("insert into pets values (:kind, :size, :collar)", records)
        connection.commit()
        connection.close()
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_predicted_as_csv_is(run, model, written, name):
    assert run("predict", model, name).stdout == run("predict", model, "pets.csv").stdout
    assert (
        run("evaluate", model, name).stdout.splitlines()[1:]
        == run("evaluate", model, "pets.csv").stdout.splitlines()[1:]
    )


@pytest.mark.parametrize("name", KINDS)
def test_from_a_first_spec_to_predictions(run, written, name):
    made = {}
    for data in (name, "pets.csv"):
        (written / "first.toml").unlink(missing_ok=True)
        run("new-spec", data, "--target", "kind", "-o", "first.toml")
        assert run("check", "first.toml").stdout.startswith("first.toml: no problems")
        run("train", "first.toml", "-o", "first.modnet", "--set", "training.epochs=2")
        made[data] = run("predict", "first.modnet", "pets.csv").stdout
    assert made[name] == made["pets.csv"]


def test_a_query_in_a_spec(run, written):
    text = (written / "pets.toml").read_text()
    query = 'query = "select kind, size, collar from pets where size > 1"'
    (written / "pets.toml").write_text(text.replace('"pets.csv"', f'"pets.sqlite"\n{query}'))
    assert "rows:" in run("train", "pets.toml").stdout
    (written / "pets.toml").write_text(text.replace('"pets.csv"', '"pets.sqlite"'))
    refused = run("check", "pets.toml", status=2)
    assert "pets.sqlite: holds several tables: pets, staff; name one of them, pets.sqlite/pets, or ask by SQL" in (
        refused.stdout + refused.stderr
    )


def test_other_tables_for_validation(run, written):
    text = (written / "pets.toml").read_text()
    both = 'train = { path = "pets.sqlite", query = "pets" }'
    text = text.replace('train = "pets.csv"', both).replace("0.25", '{ path = "pets.zip/pets.csv" }')
    (written / "pets.toml").write_text(text)
    assert "pets.csv: 80 rows to validate" in " ".join(run("train", "pets.toml").stdout.split())


def test_a_kind_that_nothing_here_reads(run, folder):
    (folder / "pets.sav").write_bytes(b"$FL2")
    refused = run("new-spec", "pets.sav", "--target", "kind", status=2)
    assert "it is SPSS's format; convert it:  python -c" in refused.stderr
