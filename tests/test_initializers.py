"""Initializers: the distributions that they draw from, the same ones in float32 and float64."""

import math

import numpy as np
import pytest

from modnet.errors import ShapeError, SpecError
from modnet.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Normal,
    Ones,
    Orthogonal,
    TruncatedNormal,
    Uniform,
    Zeros,
)


def initialized(initializer, shape=(300, 200), dtype="float64", seed=0):
    """A new parameter; of a matrix the rows are the inputs."""
    out = np.full(shape, np.nan, dtype)
    initializer.initialize(out, fan_in=300, fan_out=200, rng=np.random.default_rng(seed))
    return out


@pytest.mark.parametrize(("initializer", "value"), [(Zeros(), 0), (Ones(), 1), (Constant(value=-2.5), -2.5)])
def test_constants(initializer, value):
    assert (initialized(initializer, (4, 3)) == value).all()


NORMAL = [
    (Normal(mean=1.0, standard_deviation=0.3), 1.0, 0.3),
    (LecunNormal(), 0.0, math.sqrt(1 / 300)),
    (GlorotNormal(), 0.0, math.sqrt(2 / 500)),
    (HeNormal(), 0.0, math.sqrt(2 / 300)),
]
UNIFORM = [
    (Uniform(minimum=-1.0, maximum=3.0), -1.0, 3.0),
    (LecunUniform(), -math.sqrt(3 / 300), math.sqrt(3 / 300)),
    (GlorotUniform(), -math.sqrt(6 / 500), math.sqrt(6 / 500)),
    (HeUniform(), -math.sqrt(6 / 300), math.sqrt(6 / 300)),
]


@pytest.mark.parametrize(("initializer", "mean", "deviation"), NORMAL, ids=repr)
def test_normal_distributions(initializer, mean, deviation):
    z = (initialized(initializer) - mean) / deviation
    # Of 60 000 numbers the means of z, z^2 and z^4 have standard errors of 0.004, 0.006 and 0.04.
    assert np.mean(z) == pytest.approx(0, abs=0.02)
    assert np.mean(z**2) == pytest.approx(1, abs=0.03)
    assert np.mean(z**4) == pytest.approx(3, abs=0.2)
    assert np.abs(z).max() > 3


@pytest.mark.parametrize(("initializer", "minimum", "maximum"), UNIFORM, ids=repr)
def test_uniform_distributions(initializer, minimum, maximum):
    u = (initialized(initializer) - minimum) / (maximum - minimum)
    assert u.min() >= 0
    assert u.max() <= 1
    counts, _ = np.histogram(u, bins=20, range=(0, 1))
    np.testing.assert_allclose(counts, u.size / 20, rtol=0.1)


def test_truncated_normal_is_cut_at_two_deviations():
    z = (initialized(TruncatedNormal(mean=1.0, standard_deviation=0.3)) - 1.0) / 0.3
    assert 1.99 < np.abs(z).max() <= 2 + 1e-12
    density_at_2 = math.exp(-2) / math.sqrt(2 * math.pi)
    variance = 1 - 4 * density_at_2 / math.erf(math.sqrt(2))
    assert np.mean(z) == pytest.approx(0, abs=0.02)
    assert np.var(z) == pytest.approx(variance, rel=0.03)
    assert math.sqrt(variance) == pytest.approx(0.880, abs=5e-4)


@pytest.mark.parametrize(
    ("initializer", "name", "options"),
    [
        (GlorotNormal(), "xavier_normal_", {}),
        (GlorotUniform(), "xavier_uniform_", {}),
        (HeNormal(), "kaiming_normal_", {"nonlinearity": "relu"}),
        (HeUniform(), "kaiming_uniform_", {"nonlinearity": "relu"}),
        (LecunNormal(), "kaiming_normal_", {"nonlinearity": "linear"}),
        (LecunUniform(), "kaiming_uniform_", {"nonlinearity": "linear"}),
        (TruncatedNormal(standard_deviation=0.5), "trunc_normal_", {"std": 0.5, "a": -1.0, "b": 1.0}),
    ],
    ids=repr,
)
def test_distributions_are_those_of_torch(initializer, name, options):
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    theirs = torch.empty(200, 300, dtype=torch.float64)  # outputs first
    getattr(torch.nn.init, name)(theirs, **options, generator=torch.Generator().manual_seed(0))
    quantiles = np.linspace(0.02, 0.98, 25)
    ours = initialized(initializer)
    np.testing.assert_allclose(
        np.quantile(ours, quantiles), np.quantile(theirs.numpy(), quantiles), atol=0.04 * ours.std()
    )


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7), (3, 3, 2, 6), (2, 1, 2, 9), (6, 1)])
@pytest.mark.parametrize("gain", [1.0, 0.5, -2.0])
def test_orthogonal_columns_or_rows(shape, gain):
    matrix = initialized(Orthogonal(gain=gain), shape).reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, gain**2 * np.eye(matrix.shape[1]), atol=1e-14)


def test_orthogonal_matrices_are_uniformly_distributed():
    samples = np.array([initialized(Orthogonal(), (2, 2), seed=seed) for seed in range(2000)])
    # The first column is a point on the circle; a reflection is as likely as a rotation.
    angles = np.arctan2(samples[:, 1, 0], samples[:, 0, 0])
    counts, _ = np.histogram(angles, bins=8, range=(-np.pi, np.pi))
    np.testing.assert_allclose(counts, 250, atol=75)  # five standard errors
    assert np.mean(np.linalg.det(samples)) == pytest.approx(0, abs=0.11)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_orthogonal_refuses_what_is_no_matrix(shape):
    with pytest.raises(ShapeError, match=r"at least two axes, found shape \("):
        initialized(Orthogonal(), shape)


RANDOM = [*(row[0] for row in NORMAL + UNIFORM), TruncatedNormal(), Orthogonal()]


@pytest.mark.parametrize("initializer", RANDOM, ids=repr)
def test_the_same_seed_gives_the_same_values_in_both_dtypes(initializer):
    double = initialized(initializer, (30, 20))
    assert (double == initialized(initializer, (30, 20))).all()
    assert (double != initialized(initializer, (30, 20), seed=1)).any()
    single = initialized(initializer, (30, 20), "float32")
    assert (single == double.astype("float32")).all()


@pytest.mark.parametrize("initializer", RANDOM[:-1], ids=repr)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4, 5)])
def test_any_shape_is_filled(initializer, shape):
    assert np.isfinite(initialized(initializer, shape)).all()


def test_views_into_a_larger_array_are_filled_in_place():
    flat = np.zeros(10, "float32")
    HeNormal().initialize(flat[2:8].reshape(2, 3), fan_in=2, fan_out=3, rng=np.random.default_rng(0))
    assert flat[2:8].all()
    assert not flat[:2].any()
    assert not flat[8:].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(minimum=1.0, maximum=0.0), "minimum = 1 is greater than maximum = 0"),
        (lambda: Normal(standard_deviation=-1.0), "standard_deviation: expected a number >= 0"),
        (lambda: Constant(value=float("nan")), "value: expected a number, found nan"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()
