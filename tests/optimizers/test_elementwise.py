"""Optimizers that treat each element by itself step as their papers and torch.optim do, on chunks of a flat array."""

import numpy as np
import pytest

from modnet.errors import SpecError
from modnet.kinds.optimizer import Chunk, Step
from modnet.optimizers import SGD, AdaGrad, Adam, AdamW, Lion, NAdam, RMSProp, adaptive, moments

DECAYED, NOT_DECAYED = 37, 8
SIZE = DECAYED + NOT_DECAYED


class Run:
    """A flat parameter array, whose first elements are weights and whose last are biases, and an optimizer's arrays."""

    def __init__(self, optimizer, parameter, chunk=16):
        self.optimizer = optimizer
        self.parameter = parameter
        self.slots = [np.zeros_like(parameter) for _ in optimizer.slots]
        self.scratch = [np.empty(chunk, parameter.dtype) for _ in range(optimizer.scratch)]
        self.chunk = chunk
        self.step = 0

    def update(self, gradient, learning_rate=None):
        optimizer = self.optimizer
        rate = optimizer.learning_rate if learning_rate is None else learning_rate
        self.step += 1
        for start, stop, decays in ((0, DECAYED, True), (DECAYED, SIZE, optimizer.decay_all)):
            weight_decay = optimizer.weight_decay if decays else 0.0
            for begin in range(start, stop, self.chunk):
                part = slice(begin, min(begin + self.chunk, stop))
                slots = [slot[part] for slot in self.slots]
                scratch = [array[: part.stop - part.start] for array in self.scratch]
                chunk = Chunk(self.parameter[part], gradient[part], slots, scratch)
                optimizer.update(chunk, Step(self.step, rate, weight_decay))


class LeastSquares:
    """The gradient of |A p - b|^2 / 2, with random A and b."""

    def __init__(self, dtype):
        rng = np.random.default_rng(3)
        self.A = (rng.standard_normal((SIZE, SIZE)) / np.sqrt(SIZE)).astype(dtype)
        self.b = rng.standard_normal(SIZE).astype(dtype)
        self.start = rng.standard_normal(SIZE).astype(dtype)

    def gradient(self, parameter):
        return self.A.T @ (self.A @ parameter - self.b)


def rate_at(step, optimizer):
    """A learning rate that changes, as under a schedule."""
    return optimizer.learning_rate * (1.0 if step % 3 else 0.5)


PARITY = {
    "sgd": (SGD(), "SGD", {}),
    "sgd decay": (SGD(weight_decay=0.1), "SGD", {}),
    "sgd momentum": (SGD(momentum=0.9, weight_decay=0.1), "SGD", {"momentum": 0.9}),
    "sgd dampening": (SGD(momentum=0.8, dampening=0.3), "SGD", {"momentum": 0.8, "dampening": 0.3}),
    "sgd nesterov": (SGD(momentum=0.9, nesterov=True, weight_decay=0.1), "SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": (Adam(learning_rate=0.01), "Adam", {}),
    "adam decay": (
        Adam(learning_rate=0.01, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.1),
        "Adam",
        {"betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "adam decay all": (Adam(weight_decay=0.1, decay_all=True), "Adam", {}),
    "adam without momentum": (Adam(beta1=0.0), "Adam", {"betas": (0.0, 0.999)}),
    "adamw": (AdamW(learning_rate=0.01, weight_decay=0.2), "AdamW", {}),
    "nadam": (NAdam(), "NAdam", {}),
    "nadam decay": (
        NAdam(beta1=0.7, beta2=0.9, momentum_decay=0.2, weight_decay=0.1),
        "NAdam",
        {"betas": (0.7, 0.9), "momentum_decay": 0.2},
    ),
    "rmsprop": (RMSProp(), "RMSprop", {}),
    "rmsprop decay": (
        RMSProp(smoothing=0.9, epsilon=1e-4, weight_decay=0.1),
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-4},
    ),
    "rmsprop momentum": (RMSProp(momentum=0.8), "RMSprop", {"momentum": 0.8}),
    "rmsprop centered": (RMSProp(centered=True), "RMSprop", {"centered": True}),
    "rmsprop centered momentum": (
        RMSProp(centered=True, momentum=0.8, weight_decay=0.1),
        "RMSprop",
        {"centered": True, "momentum": 0.8},
    ),
    "adagrad": (AdaGrad(), "Adagrad", {}),
    "adagrad decay": (AdaGrad(learning_rate=0.1, weight_decay=0.1), "Adagrad", {}),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize(("optimizer", "name", "options"), PARITY.values(), ids=PARITY)
def test_fifty_steps_agree_with_torch(optimizer, name, options, dtype, tolerance):
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    problem = LeastSquares(dtype)
    run = Run(optimizer, problem.start.copy())
    weights, biases = (torch.tensor(part) for part in np.split(problem.start, [DECAYED]))
    groups = [
        {"params": [weights], "weight_decay": optimizer.weight_decay},
        {"params": [biases], "weight_decay": optimizer.weight_decay if optimizer.decay_all else 0.0},
    ]
    reference = getattr(torch.optim, name)(groups, lr=optimizer.learning_rate, **options)
    for step in range(1, 51):
        rate = rate_at(step, optimizer)
        # One gradient for both: where it is almost 0, an optimizer that divides by its size magnifies rounding.
        gradient = problem.gradient(np.concatenate([weights.numpy(), biases.numpy()]))
        weights.grad, biases.grad = (torch.tensor(part) for part in np.split(gradient, [DECAYED]))
        run.update(gradient, rate)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
    expected = np.concatenate([weights.numpy(), biases.numpy()])
    assert run.parameter.dtype == dtype
    assert np.abs(expected - problem.start).max() > 0.01
    np.testing.assert_allclose(run.parameter, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("optimizer", [Adam(), AdamW(), NAdam(), RMSProp(), AdaGrad()], ids=repr)
def test_defaults_are_those_of_torch(optimizer):
    torch = pytest.importorskip("torch", reason="the parity extra is not installed")
    classes = {name.lower(): cls for name, cls in vars(torch.optim).items()}
    theirs = classes[optimizer.type]([torch.zeros(1)]).defaults
    names = {"learning_rate": "lr", "smoothing": "alpha", "epsilon": "eps"}
    betas = dict(zip(("beta1", "beta2"), theirs.get("betas", ()), strict=False))
    for field in type(optimizer).__fields__:
        if field not in ("decay_all", "weight_decay_schedule"):
            assert getattr(optimizer, field) == {**theirs, **betas}[names.get(field, field)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_lion_is_the_algorithm_of_its_paper(dtype):
    optimizer = Lion(learning_rate=0.01, weight_decay=0.3, beta1=0.9, beta2=0.98)
    problem = LeastSquares(dtype)
    run = Run(optimizer, problem.start.copy())

    theta, m = problem.start.astype("float64"), np.zeros(SIZE)
    decay = np.where(np.arange(SIZE) < DECAYED, 0.3, 0.0)
    for step in range(1, 51):
        rate = rate_at(step, optimizer)
        gradient = problem.gradient(run.parameter)
        g = gradient.astype("float64")
        run.update(gradient, rate)
        update = 0.9 * m + (1 - 0.9) * g
        theta -= rate * (np.sign(update) + decay * theta)
        m = 0.98 * m + (1 - 0.98) * g
    np.testing.assert_allclose(run.parameter, theta, atol=1e-10 if dtype == "float64" else 1e-5)


def test_lion_leaves_alone_what_has_no_gradient():
    run = Run(Lion(), np.ones(SIZE, "float32"))
    run.update(np.zeros(SIZE, "float32"))
    assert (run.parameter == 1).all()


EVERY = [
    SGD(),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    Adam(),
    AdamW(),
    NAdam(),
    RMSProp(),
    RMSProp(centered=True, momentum=0.9),
    AdaGrad(),
    Lion(),
]


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_chunks_of_any_size_give_the_same_bytes(optimizer):
    def after_steps(chunk):
        problem = LeastSquares("float32")
        run = Run(optimizer.replace(weight_decay=0.1), problem.start.copy(), chunk)
        for _ in range(5):
            run.update(problem.gradient(run.parameter))
        return run.parameter.tobytes()

    assert after_steps(chunk=5) == after_steps(chunk=64)


@pytest.mark.parametrize("optimizer", EVERY, ids=repr)
def test_a_minimum_is_found(optimizer):
    run = Run(optimizer, np.ones(SIZE))
    for step in range(300):
        run.update(run.parameter - 0.5, learning_rate=0.1 * 0.98**step)
    np.testing.assert_allclose(run.parameter, 0.5, atol=0.02)


DECAYING = [
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    Adam(beta2=0.95),
    AdamW(beta2=0.95),
    NAdam(beta2=0.95),
    RMSProp(smoothing=0.95),
    RMSProp(smoothing=0.95, centered=True, momentum=0.9),
    Lion(beta2=0.95),
]


def after_many_steps_without_gradient(optimizer):
    rng = np.random.default_rng(0)
    run = Run(optimizer, rng.standard_normal(SIZE).astype("float32"))
    for _ in range(5):
        run.update(rng.standard_normal(SIZE, dtype="float32"))
    for _ in range(2000):
        run.update(np.zeros(SIZE, "float32"))
    return run


def subnormals(run):
    return sum(((slot != 0) & (np.abs(slot) < np.finfo(slot.dtype).tiny)).sum() for slot in run.slots)


@pytest.mark.parametrize("optimizer", DECAYING, ids=repr)
def test_moments_do_not_decay_into_subnormal_numbers(optimizer, monkeypatch):
    run = after_many_steps_without_gradient(optimizer)
    monkeypatch.setattr(moments, "FLUSH_INTERVAL", 10**9)
    unprotected = after_many_steps_without_gradient(optimizer)
    assert subnormals(unprotected) > 0
    assert subnormals(run) == 0
    assert all(not slot.any() for slot in run.slots)
    if not isinstance(optimizer, Lion):  # The size of its steps does not follow that of its moment.
        np.testing.assert_allclose(run.parameter, unprotected.parameter, rtol=1e-6)


def test_flushing_keeps_every_digit_of_moments_that_matter():
    moment = np.float32([1.5e-20, -1.5e-20, 3e-27, 1e-35, -1e-35, 1e-40, 0.0])
    kept = moment.copy()
    moments.flush_subnormals(1, [moment])
    assert (moment == kept).all()
    moments.flush_subnormals(64, [moment])
    np.testing.assert_allclose(moment[:3], kept[:3], rtol=1e-7)
    assert (moment[3:] == 0).all()


def test_centered_rmsprop_stays_finite_under_a_constant_gradient():
    run = Run(RMSProp(centered=True, smoothing=0.5), np.ones(SIZE, "float32"))
    for _ in range(100):
        run.update(np.full(SIZE, 0.1, "float32"))
    assert np.isfinite(run.parameter).all()


def test_nadam_resumes_at_any_step():
    problem = LeastSquares("float64")
    through = Run(NAdam(), problem.start.copy())
    resumed = Run(NAdam(), problem.start.copy())
    for _ in range(10):
        through.update(problem.gradient(through.parameter))
    for _ in range(10):
        adaptive.nadam_momentum_product.cache_clear()
        resumed.update(problem.gradient(resumed.parameter))
    assert (through.parameter == resumed.parameter).all()


def test_slots_follow_the_configuration():
    assert SGD().slots == ()
    assert SGD(momentum=0.9).slots == ("velocity",)
    assert RMSProp().slots == ("second_moment",)
    assert RMSProp(centered=True, momentum=0.9).slots == ("second_moment", "first_moment", "velocity")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(nesterov=True), "nesterov needs momentum > 0 and dampening = 0, found momentum = 0"),
        (lambda: SGD(nesterov=True, momentum=0.9, dampening=0.1), "found momentum = 0.9 and dampening = 0.1"),
        (lambda: SGD(dampening=0.1), "has no effect without momentum"),
        (lambda: SGD(momentum=1.0), "momentum: expected a number >= 0 and < 1, found 1.0"),
        (lambda: Adam(beta2=1.0), "beta2: expected a number >= 0 and < 1"),
        (lambda: Adam(epsilon=0.0), "epsilon: expected a number > 0"),
        (lambda: AdamW(learning_rate=-1.0), "learning_rate: expected a number >= 0"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()
