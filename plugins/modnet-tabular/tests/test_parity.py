"""RealMLP beside pytabkit's torch module, with the same weights: the same outputs, and the same weights after steps."""

import math

import numpy as np
import pytest

import modnet

torch = pytest.importorskip("torch", reason="the parity extra is not installed")
realmlp = pytest.importorskip("pytabkit.models.realmlp.model", reason="the parity extra is not installed")
realmlp_training = pytest.importorskip("pytabkit.models.realmlp.train", reason="the parity extra is not installed")

ROWS, STEPS = 60, 6
CATEGORIES = [3, 5, 12]
"""Of three columns, with the one for what is missing: a single code, four codes, and ids."""

HIDDEN = (9, 8)
EPSILON = 1e-16
"""Of Adam: it is what is left of the difference between a weight and the same weight over a root of its inputs."""

SIMPLE = {"use_parametric_act": False, "num_emb_type": "none", "p_drop": 0.0, "p_drop_sched": None, "wd": 0.0}
FORMS = {
    ("td", True): {"use_ls": True, "act": "selu", "lr": 0.04},
    ("td", False): {"act": "mish", "lr": 0.2},
    ("td-s", True): {**SIMPLE, "use_ls": True, "act": "selu", "lr": 0.04},
    ("td-s", False): {**SIMPLE, "act": "mish", "lr": 0.07, "clamp_output": False},
}

forms = pytest.mark.parametrize(("variant", "classes"), FORMS, ids=lambda value: str(value))


def table():
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((ROWS, 4)) * [1, 10, 0.1, 1] + [0, 5, 0, 0]
    numbers[:, 3] = numbers[:, 3] > 1.5  # half of the numbers are the same: the range takes the place of the quartiles
    ids = np.column_stack([rng.integers(1, size, ROWS) for size in CATEGORIES])
    return numbers, ids, rng


def theirs(variant, classes):
    """pytabkit's model in float64, with random weights, and its inputs."""
    numbers, ids, rng = table()
    given = {"hidden_sizes": list(HIDDEN), "p_drop": 0.0, "n_epochs": STEPS, **FORMS[variant, classes]}
    config = realmlp.RealMLPConfig(**given)
    torch.manual_seed(0)
    model = realmlp.RealMLP(4, CATEGORIES, 3 if classes else 1, 1, config, classes).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        x = torch.tensor(numbers), torch.tensor(ids)
        median, scale = realmlp_training.compute_input_stats(
            model.input_features(*x).double(), torch.arange(ROWS)[None]
        )
        model.x_median.copy_(median)
        model.x_scale.copy_(scale)
    return model, [part[None] for part in x], rng


def ours(variant, classes):
    """The same network here, whose codes are those that pytabkit makes."""
    activation = FORMS[variant, classes]["act"]
    layer = {
        "type": "realmlp",
        "variant": variant,
        "out_features": 3 if classes else 1,
        "hidden_features": list(HIDDEN),
        "activation": activation,
        "dropout": 0.0,
        "inputs": ["numbers", "codes", "id"],
        "vocabulary_sizes": CATEGORIES[2:],
        "name": "mlp",
    }
    ending = ["softmax"] if classes else ["unstandardize", "clip_to_target"]
    inputs = {"numbers": [4], "codes": [5], "id": [1]}
    spec = {"network": {"input": inputs, "layers": [layer, *ending], "dtype": "float64"}}
    return modnet.build(spec, seed=0)


def order(config):
    """Where a feature of our concatenated inputs stands in theirs, which have all embeddings first, then the rest."""
    others = list(range(config.plr_hidden_2 * 4, config.plr_hidden_2 * 4 + 5 + 8))
    if config.num_emb_type == "none":
        return list(range(4 + 5 + 8))
    size = config.plr_hidden_2 - 1
    own = [place for n in range(4) for place in (*range(n * size, (n + 1) * size), 4 * size + n)]
    return [*own, *others]


def weights_of(model):
    """Our names -> their arrays."""
    found, config, array = {}, model.config, lambda tensor: tensor.detach().numpy()[0]
    if config.num_emb_type == "pbld":
        found["numbers.pbld_1.frequency"] = array(model.plr_weight_1)[:, 0]
        found["numbers.pbld_1.shift"] = array(model.plr_bias_1)[:, 0]
        found["numbers.pbld_1.weight"] = array(model.plr_weight_2)
        found["numbers.pbld_1.bias"] = array(model.plr_bias_2)[:, 0]
    found["ids_1.category_embedding_1.weight"] = array(model.cat_emb)
    places = order(config)
    found["scale_1.scale"] = array(model.mlp[0].scale)[0, places]
    names = [f"ntk_linear_{number}" for number in range(1, len(HIDDEN) + 1)] + ["output"]
    weights = [array(part.weight) for part in model.mlp if isinstance(part, realmlp.Weight)]
    weights[0] = weights[0][places]
    biases = [array(part.bias)[0] for part in model.mlp if isinstance(part, realmlp.Bias)]
    for name, weight, bias in zip(names, weights, biases, strict=True):
        found[f"{name}.weight"] = weight / math.sqrt(len(weight))
        found[f"{name}.bias"] = bias
    blends = [part for part in model.mlp if isinstance(part, realmlp.Activation) and part.weight is not None]
    for number, part in enumerate(blends, 1):
        found[f"parametric_{number}.alpha"] = array(part.weight)[0]
    return {f"mlp.{name}": value for name, value in found.items()}


def both(variant, classes):
    """Their model, our network with its weights, and the inputs and targets of each."""
    model, x, rng = theirs(variant, classes)
    network = ours(variant, classes)
    weights = weights_of(model)
    assert weights.keys() == set(network.parameters)
    for name, value in weights.items():
        network.parameters[name] = value
    for name in network.state:
        if "ntk_linear" in name or "output" in name:
            network.state[name][...] = 1  # so that the first weights stay
    codes = model.input_features(*x).numpy()[0, :, 4:]
    given = {"numbers": x[0].numpy()[0], "codes": codes, "id": x[1].numpy()[0, :, 2:]}
    y = rng.integers(0, 3, ROWS) if classes else 7 + 3 * rng.standard_normal((ROWS, 1))
    return model, x, network, given, y


@forms
def test_the_same_weights_give_the_same_outputs(variant, classes):
    model, x, network, given, y = both(variant, classes)
    still = {"type": "sgd", "learning_rate": 0.0}
    modnet.train(network, given, y, loss="cross_entropy" if classes else "mse", optimizer=still, epochs=1)
    with torch.no_grad():
        expected = model(*x)[0]
        if classes:
            expected = torch.softmax(expected, -1)
        else:
            _tell_the_target(model, y)
            expected = model.inverse_transform_y(expected)[0]
    np.testing.assert_allclose(network.forward(given), expected.numpy(), rtol=1e-5, atol=1e-6)


def _tell_the_target(model, y):
    target = torch.tensor(y)
    model.y_mean.copy_(target.mean())
    model.y_std.copy_(target.std(correction=0))
    if model.clamp_y:
        model.y_min.copy_(target.min())
        model.y_max.copy_(target.max())


@forms
def test_the_same_steps_give_the_same_weights(variant, classes):
    model, x, network, given, y = both(variant, classes)
    config = model.config
    decay = {"weight_decay": config.wd, "weight_decay_schedule": "flat_cosine"} if config.wd else {"weight_decay": 0.0}
    optimizer = {"type": "adamw", "learning_rate": config.lr, "beta2": config.sq_mom, "epsilon": EPSILON, **decay}
    smoothing = config.ls_eps if config.use_ls else 0.0
    modnet.train(
        network,
        given,
        y,
        loss={"type": "cross_entropy", "label_smoothing": smoothing} if classes else "mse",
        optimizer=optimizer,
        schedule="coslog4",
        epochs=STEPS,
        batch_size=ROWS,
    )
    for buffer, name in ((model.x_median, "median"), (model.x_scale, "factor")):
        parts = [network.state[f"mlp.{part}.robust_scale_1.{name}"] for part in ("numbers", "codes")]
        buffer.copy_(torch.tensor(np.concatenate(parts)))  # theirs are rounded to float32
    _steps(model, x, y, classes)
    for name, expected in weights_of(model).items():
        found = network.parameters[name]
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max(), rtol=0, err_msg=name)


def _steps(model, x, y, classes):
    """Their training, step by step, without its search for the best epoch."""
    config = model.config
    groups = {}
    for parameter in model.parameters():
        groups.setdefault((parameter.lr_factor, parameter.wd_factor), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": parts} for parts in groups.values()], betas=(config.mom, config.sq_mom), eps=EPSILON
    )
    target = torch.tensor(y).reshape(1, ROWS, 1)
    if not classes:
        _tell_the_target(model, y)
    for step in range(STEPS):
        schedules = realmlp_training.SCHEDULES
        for group, (rate, decay) in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = rate * config.lr * schedules["coslog4"](step / STEPS)
            group["weight_decay"] = decay * config.wd * schedules["flat_cos"](step / STEPS)
        prediction = model(*x)
        if classes:
            smoothing = config.ls_eps if config.use_ls else 0.0
            loss = realmlp_training.cross_entropy(prediction, target, smoothing)
        else:
            loss = realmlp_training.mse(prediction, model.transform_y(target))
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
