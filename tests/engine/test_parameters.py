"""One flat array with named views."""

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pytest

from modnet import ShapeError
from modnet.engine.parameters import FlatArray


@pytest.fixture
def array() -> FlatArray:
    return FlatArray([("a.weight", (2, 3)), ("a.bias", (3,)), ("scale", ())], "float32")


def test_views_write_through_to_the_flat_array(array):
    array["a.bias"][:] = [1, 2, 3]
    array["scale"][...] = 7
    assert array.flat.tolist() == [0, 0, 0, 0, 0, 0, 1, 2, 3, 7]
    assert array.flat.dtype == np.float32
    assert array.flat.ctypes.data % 64 == 0


def test_the_flat_array_is_assigned_to_in_place(array):
    flat, view = array.flat, array["a.bias"]
    array.flat += 2
    assert array.flat is flat
    assert view.tolist() == [2, 2, 2]
    array.flat = np.arange(10)
    assert array.flat is flat
    assert view.tolist() == [6, 7, 8]


def test_no_thread_finds_views_missing_while_flat_arrays_are_adopted(array):
    found = []

    class Watching(np.ndarray):
        """Looks, whenever a view is made of it, at what another thread would see."""

        def __getitem__(self, key):
            found.append(list(array))
            return np.asarray(super().__getitem__(key))

    array.adopt(np.ones(10, np.float32).view(Watching))
    assert found == [["a.weight", "a.bias", "scale"]] * 3
    assert array["a.bias"].tolist() == [1, 1, 1]


def test_threads_that_ask_for_the_flat_array_get_the_same(array, monkeypatch):
    array.adopt(np.zeros(6, np.float32), np.ones(4, np.float32))
    together = threading.Barrier(4)
    concatenate = np.concatenate
    joined = []

    def slowly(arrays):
        joined.append(len(arrays))
        time.sleep(0.05)
        return concatenate(arrays)

    monkeypatch.setattr(np, "concatenate", slowly)

    def ask(_):
        together.wait(60)
        return array.flat

    with ThreadPoolExecutor(4) as pool:
        flats = list(pool.map(ask, range(4)))
    assert joined == [2]
    assert all(flat is array.flat for flat in flats)
    assert np.shares_memory(array["a.weight"], array.flat)


def test_assignment_copies_a_value_of_exactly_that_shape(array):
    array["a.weight"] = [[1, 2, 3], [4, 5, 6]]
    assert array.flat[:6].tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ShapeError, match=r"a\.bias has shape \(3,\), found a value of shape \(1,\)"):
        array["a.bias"] = [1.0]


def test_an_unknown_name_is_met_with_the_nearest(array):
    with pytest.raises(KeyError, match=r"did you mean \\\"a\.weight\\\"|did you mean \"a\.weight\""):
        array["a.weigth"]


def test_copies_and_likes_have_the_layout_and_arrays_of_their_own(array):
    array.flat[:] = np.arange(10)
    copy, like = array.copy(), array.like("float64")
    array.flat[:] = 0
    assert copy.flat.tolist() == list(range(10))
    assert like.dtype == np.float64
    assert copy.layout == like.layout == (("a.weight", 0, (2, 3)), ("a.bias", 6, (3,)), ("scale", 9, ()))


def test_two_arrays_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two arrays are called a"):
        FlatArray([("a", (1,)), ("a", (2,))], "float32")


@pytest.fixture
def pieces() -> list[np.ndarray]:
    return [np.arange(6, dtype=np.float32), np.arange(6, 9, dtype=np.float32), np.arange(9, 10, dtype=np.float32)]


def test_several_flat_arrays_are_joined_when_one_is_asked_for(array, pieces):
    array.adopt(*pieces)
    assert array["a.weight"].base is pieces[0]
    assert array["scale"].tolist() == 9
    assert (array.size, array.nbytes, array.dtype) == (10, 40, np.float32)
    assert array.flats == tuple(pieces)
    assert array.flat.tolist() == list(range(10))
    array.flat[9] = 7
    assert array["scale"].tolist() == 7
    assert pieces[2].tolist() == [9]


def test_several_read_only_arrays_are_joined_to_one_that_is_read_only(array, pieces):
    pieces[1].flags.writeable = False
    array.adopt(*pieces)
    assert not array.flat.flags.writeable


def test_copies_of_several_flat_arrays(array, pieces):
    array.adopt(*pieces)
    for copy in (array.copy(), pickle.loads(pickle.dumps(array)), deepcopy(array)):
        assert [value.tolist() for value in copy.values()] == [value.tolist() for value in array.values()]
    assert array.flats == tuple(pieces)


def test_arrays_without_elements_lie_where_they_are(pieces):
    array = FlatArray([("none", (0, 3)), ("a", (6,)), ("empty", (0,)), ("b", (4,)), ("last", (0,))], "float32")
    array.adopt(pieces[0], np.arange(4, dtype=np.float32))
    assert [view.shape for view in array.values()] == [(0, 3), (6,), (0,), (4,), (0,)]
    assert array["b"].tolist() == [0, 1, 2, 3]
