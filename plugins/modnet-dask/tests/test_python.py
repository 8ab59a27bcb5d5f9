"""Predictions from Python: files, and data frames of dask."""

import modnet_dask
import numpy as np
import pytest

import modnet

from .conftest import table, write

pd = pytest.importorskip("pandas")
dd = pytest.importorskip("dask.dataframe")


def test_files(model, parts, tmp_path, client):
    seen = []
    found = modnet_dask.predict(
        model, parts / "*.parquet", tmp_path / "out", client=client, keep=["id"], look=seen.append
    )
    assert (found.parts, found.done, found.account.rows, found.retries) == (5, 5, 5000, 0)
    assert len(seen) == 5
    frame = pd.read_parquet(tmp_path / "out" / "part-3.parquet")
    rows = table(1000, 3, first=3000)
    assert frame["id"].tolist() == rows["id"].tolist()
    expected = modnet.load(model).predict(pd.DataFrame(rows))
    assert frame["kind"].tolist() == expected["kind"].tolist()


def test_parts_that_fail_are_an_error_with_the_others_done(model, parts, tmp_path, client):
    write(parts / "part-3.parquet", {"a": [1.0]})
    with pytest.raises(modnet.DataError, match=r'^1 part failed, 4 done: part-3\.parquet: no column "colour"'):
        modnet_dask.predict(model, parts, tmp_path / "out", client=client)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 4


def test_an_option_that_there_is_not(model, parts, tmp_path, client):
    with pytest.raises(TypeError, match="treshold"):
        modnet_dask.predict(model, parts, tmp_path / "out", client=client, treshold=0.5)


def test_a_data_frame(model, client):
    frame = pd.DataFrame(table(1000)).set_index("id")
    frame.index += 7
    lazy = modnet_dask.predict(model, dd.from_pandas(frame, npartitions=3), client=client)
    expected = modnet.load(model).predict(frame)
    assert lazy.npartitions == 3
    assert lazy.dtypes.to_dict() == expected.dtypes.to_dict()
    pd.testing.assert_frame_equal(lazy.compute(), expected)
    with_rows = dd.from_pandas(frame, npartitions=3).assign(sure=lazy["P(warm)"])
    assert np.isfinite(with_rows.sure.compute()).all()


def test_a_data_frame_with_a_part_without_rows(model, client):
    frame = dd.from_pandas(pd.DataFrame(table(30)), npartitions=3)
    lazy = modnet_dask.predict(model, frame[frame["id"] < 10], client=client)
    assert len(lazy.compute()) == 10


def test_a_data_frame_by_threads_of_this_process(model):
    import dask

    with dask.config.set(scheduler="threads"):
        frame = dd.from_pandas(pd.DataFrame(table(30)), npartitions=3)
        assert len(modnet_dask.predict(model, frame).compute()) == 30


def test_an_error_names_the_row_and_the_column(model, client):
    frame = pd.DataFrame(table(30))
    frame["a"] = frame["a"].astype(object)
    frame.loc[17, "a"] = "long"
    lazy = modnet_dask.predict(model, dd.from_pandas(frame, npartitions=1), client=client)
    with pytest.raises(modnet.DataError, match='row 18, column a: expected a number, found "long"'):
        lazy.compute()
