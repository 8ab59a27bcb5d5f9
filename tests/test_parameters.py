"""One flat array with named views."""

import numpy as np
import pytest

from modnet import ShapeError
from modnet.parameters import FlatArray


@pytest.fixture
def array() -> FlatArray:
    return FlatArray([("a.weight", (2, 3)), ("a.bias", (3,)), ("scale", ())], "float32")


def test_views_write_through_to_the_flat_array(array):
    array["a.bias"][:] = [1, 2, 3]
    array["scale"][...] = 7
    assert array.flat.tolist() == [0, 0, 0, 0, 0, 0, 1, 2, 3, 7]
    assert array.flat.dtype == np.float32
    assert array.flat.ctypes.data % 64 == 0


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
