"""`modnet predict --scheduler`: what is written, what is refused, and how it goes on."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from .conftest import same_bytes, table, write


def test_each_part_gets_a_file_with_the_bytes_of_modnet_predict(run, model, parts, tmp_path, address):
    found = run("predict", model, parts, "-o", tmp_path / "out", "--scheduler", address)
    assert "parts        5: 5 done\n" in found.output
    assert "rows         5,000 in " in found.output
    assert "tried again  0 parts\n" in found.output
    same_bytes(run, model, parts, tmp_path / "out")


@pytest.mark.parametrize(
    "options", [("--keep", "id"), ("--keep-all", "--threshold", "0.9"), ("--faults", "blank"), ("--chunk", "64")]
)
def test_the_options_of_modnet_predict(run, model, parts, tmp_path, address, options):
    run("predict", model, parts / "*.parquet", "-o", tmp_path / "out", "--scheduler", address, *options)
    same_bytes(run, model, parts, tmp_path / "out", *options)


def test_a_part_larger_than_a_block(run, model, tmp_path, address):
    write(tmp_path / "in" / "a.parquet", table(150_000), row_group_size=7_001)
    run("predict", model, tmp_path / "in", "-o", tmp_path / "out", "--scheduler", address, "--keep", "id")
    same_bytes(run, model, tmp_path / "in", tmp_path / "out", "--keep", "id")
    assert pq.read_table(tmp_path / "out" / "a.parquet")["id"].to_pylist() == list(range(150_000))


def test_text_in_parts_and_folders_that_hold_a_column(run, model, tmp_path, address):
    for colour in ("red", "blue"):
        folder = tmp_path / "in" / f"colour={colour}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("id,a\n07,0.5\n8,-1\n")
    run("predict", model, tmp_path / "in", "-o", tmp_path / "out", "--scheduler", address, "--keep", "id")
    for colour in ("red", "blue"):
        (tmp_path / "whole.csv").write_text(f"id,a,colour\n07,0.5,{colour}\n8,-1,{colour}\n")
        alone = run("predict", model, tmp_path / "whole.csv", "--keep", "id").output
        assert (tmp_path / "out" / f"colour={colour}" / "a.csv").read_text() == alone
        assert alone.splitlines()[1].startswith("07,")


def test_parts_of_another_order_and_other_types_and_without_rows(run, model, tmp_path, address):
    columns = table(50)
    write(tmp_path / "in" / "a.parquet", columns)
    write(
        tmp_path / "in" / "b.parquet",
        {name: columns[name] for name in ("colour", "kind", "a")} | {"a": np.float32(columns["a"])},
    )
    write(tmp_path / "in" / "c.parquet", {name: values[:0] for name, values in columns.items()})
    write(tmp_path / "in" / "d.parquet", {"a": [1, 2, None], "colour": ["red", "pink", None]})
    (tmp_path / "in" / "_SUCCESS").touch()
    found = run("predict", model, tmp_path / "in", "-o", tmp_path / "out", "--scheduler", address, "--faults", "blank")
    assert "4: 4 done" in found.output
    assert "unknown category in column colour" in found.said
    same_bytes(run, model, tmp_path / "in", tmp_path / "out", "--faults", "blank")
    counts = [pq.ParquetFile(tmp_path / "out" / f"{name}.parquet").metadata.num_rows for name in "abcd"]
    assert counts == [50, 50, 0, 3]


def test_parts_that_fail_are_told_with_the_others_done(run, model, parts, tmp_path, address):
    damaged = (parts / "part-1.parquet").read_bytes()
    (parts / "part-1.parquet").write_bytes(damaged[:500] + b"\xff" * 600 + damaged[1100:])
    write(parts / "part-2.parquet", {"b": [1.0], "colour": ["red"]})
    columns = table(20)
    texts = ["long" if row == 16 else str(value) for row, value in enumerate(columns["a"])]
    write(parts / "part-3.parquet", columns | {"a": texts})
    out = tmp_path / "out"
    found = run("predict", model, parts, "-o", out, "--scheduler", address, status=2)
    assert "parts        5: 2 done, 3 failed\n" in found.output
    assert "\n  part-1.parquet: cannot be read: " in found.output
    assert '\n  part-2.parquet: no column "a"' in found.output
    assert '\n  part-3.parquet: row 17, column a: expected a number, found "long"\n' in found.output
    assert "\nthe others are done; go on: modnet predict " in found.output
    assert sorted(path.name for path in out.iterdir()) == ["_modnet.jsonl", "part-0.parquet", "part-4.parquet"]

    for number in (1, 2):
        write(parts / f"part-{number}.parquet", table(1000, number))
    found = run("predict", model, parts, "-o", out, "--scheduler", address, "--resume", "--json", status=2)
    told = json.loads(found.output)
    assert (told["parts"], told["done"], told["done_before"]) == (5, 2, 2)
    assert [failed["part"] for failed in told["failed"]] == ["part-3.parquet"]


def test_rows_that_are_left_out_are_counted(run, model, parts, tmp_path, address):
    columns = table(20)
    write(
        parts / "part-3.parquet",
        columns | {"a": ["long" if row % 10 == 6 else str(v) for row, v in enumerate(columns["a"])]},
    )
    found = run("predict", model, parts, "-o", tmp_path / "out", "--scheduler", address, "--faults", "skip")
    assert "bad rows     2\n" in found.output
    assert "2 of 4,020 rows were left out:\n  part-3.parquet: row 7, column a: expected a number" in found.said
    same_bytes(run, model, parts, tmp_path / "out", "--faults", "skip")


def test_where_all_parts_fail_it_ends_early(run, model, tmp_path, address):
    for number in range(40):
        write(tmp_path / "in" / f"{number:02}.parquet", {"b": [1.0]})
    found = run("predict", model, tmp_path / "in", "-o", tmp_path / "out", "--scheduler", address, status=2)
    assert "parts        40: 0 done, 10 failed, 30 left\n" in found.output
    assert "\nthe first 10 parts have failed; go on: modnet predict " in found.output


def test_going_on_does_what_is_not_done_or_has_changed(run, model, parts, tmp_path, address):
    out = tmp_path / "out"
    call = ("predict", model, parts, "-o", out, "--scheduler", address)
    run(*call)
    assert "already has predictions, for 5 parts; go on with --resume" in run(*call, status=2).said
    assert "5: 0 done, 5 done before" in run(*call, "--resume").output
    before = (out / "part-0.parquet").stat().st_mtime_ns
    (out / "part-1.parquet").unlink()
    (out / ".unfinished-00000000.parquet").touch()
    write(parts / "part-2.parquet", table(7))
    write(parts / "part-5.parquet", table(7))
    with (out / "_modnet.jsonl").open("a") as journal:
        journal.write('{"part": "part-3')
    assert "6: 3 done, 3 done before" in run(*call, "--resume").output
    assert (out / "part-0.parquet").stat().st_mtime_ns == before
    assert not list(out.glob(".*"))
    same_bytes(run, model, parts, out)


def test_what_cannot_go_on_is_refused(run, model, parts, tmp_path, address):
    out = tmp_path / "out"
    call = ("predict", model, parts, "-o", out, "--scheduler", address)
    run(*call)
    assert "made in another way, with another options" in run(*call, "--resume", "--keep", "id", status=2).said
    other = shutil.copy(model, tmp_path / "other.modnet")
    run("edit", other, "-o", other, "--set-metadata", "a=b")
    assert "with another model" in run("predict", other, *call[2:], "--resume", status=2).said
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    assert "there are other files in this folder" in run(*call[:4], tmp_path / "full", *call[5:], status=2).said
    assert "this is the folder of the table" in run(*call[:4], parts, *call[5:], status=2).said


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("inn", 'no such file or folder; did you mean "in"?'),
        ("in/*.csv", "no file matches this pattern"),
        ("no/*.csv", "there is no folder"),
    ],
)
def test_a_table_that_is_not_there(run, model, parts, tmp_path, address, data, message):
    said = run("predict", model, tmp_path / data, "-o", tmp_path / "out", "--scheduler", address, status=2).said
    assert message in said


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:1", "no scheduler of dask answers at tcp://127.0.0.1:1"),
        ("tpc://127.0.0.1:8786", 'no installed plugin knows the scheduler "tpc://127.0.0.1:8786"'),
        ("local:two", 'the scheduler "local:two": expected local, local:N'),
        ("nothing.json", "this scheduler file cannot be read: no such file"),
    ],
)
def test_a_mistyped_address(run, model, parts, tmp_path, address, message):
    out = tmp_path / "out"
    assert message in run("predict", model, parts, "-o", out, "--scheduler", address, status=2).said
    assert not out.exists()
