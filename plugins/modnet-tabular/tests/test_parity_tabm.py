"""TabM and embeddings of numbers beside the packages `tabm` and `rtdl_num_embeddings`, with the same weights."""

import numpy as np
import pytest
from modnet_tabular.numbers import PLR
from modnet_tabular.piecewise import PiecewiseLinear
from modnet_tabular.quantiles import QuantileTransform

import modnet
from modnet.testing.gradients import layer_context

torch = pytest.importorskip("torch", reason="the parity extra is not installed")
rtdl = pytest.importorskip("rtdl_num_embeddings", reason="the parity extra is not installed")
tabm = pytest.importorskip("tabm", reason="the parity extra is not installed")

ROWS, BINS, SIZE, MEMBERS, STEPS = 80, 6, 3, 4, 5


pytestmark = pytest.mark.filterwarnings("ignore:The 2-th feature has just two bin edges")


def rows():
    """Numbers (rows, 4), one column of which takes two values and another one few."""
    x = np.random.default_rng(0).standard_normal((ROWS, 4))
    x[:, 2] = x[:, 2] > 0
    x[:, 3] = np.round(x[:, 3])
    return x


def array(tensor):
    return tensor.detach().numpy()


def prepared(layer, x):
    context = layer_context(layer, x.shape[1:])
    context.masks = (None,)
    layer.prepare(context, [(x[:30], None), (x[30:], None)])
    return context


def compare(layer, context, module, x, grads):
    """The output, and the gradients of the input and of parameters: name -> theirs."""
    given = torch.tensor(x, requires_grad=True)
    expected = module(given)
    np.testing.assert_allclose(layer.forward(context, x).reshape(expected.shape), array(expected), rtol=1e-5, atol=1e-6)
    direction = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(direction))
    found = layer.backward(context, direction.reshape(len(x), -1))
    np.testing.assert_allclose(found, array(given.grad), rtol=1e-5, atol=1e-6)
    for name, theirs in grads().items():
        np.testing.assert_allclose(context.grads[name], array(theirs), rtol=1e-5, atol=1e-5, err_msg=name)


def padded(weight, bins):
    """Their weight (features, most bins of a feature, ...), with our unused bins before the last one."""
    made = np.zeros((len(weight), bins, *weight.shape[2:]))
    made[:, : weight.shape[1] - 1] = weight[:, :-1]
    made[:, -1] = weight[:, -1]
    return made


def test_piecewise_linear():
    x = rows()
    layer = PiecewiseLinear(embedding_size=SIZE, bins=BINS)
    context = prepared(layer, x)
    bins = rtdl.compute_bins(torch.tensor(x), n_bins=BINS)
    module = rtdl.PiecewiseLinearEmbeddings(bins, SIZE, activation=False, version="B").double()
    with torch.no_grad():
        module.linear.weight += torch.randn_like(module.linear.weight)
    context.params["linear"][...] = array(module.linear0.weight)
    context.params["bias"][...] = array(module.linear0.bias)
    context.params["weight"][...] = padded(array(module.linear.weight), BINS)
    outside = np.concatenate([x, 3 * x[:5]]) + 0.013  # not on an edge, where slopes are a matter of taste
    compare(
        layer,
        context,
        module,
        outside,
        lambda: {"linear": module.linear0.weight.grad, "bias": module.linear0.bias.grad},
    )
    used = context.state["slope"] != 0
    theirs = padded(array(module.linear.weight.grad), BINS)
    np.testing.assert_allclose(context.grads["weight"][used], theirs[used], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_plr(shared):
    x = rows()
    layer = PLR(embedding_size=SIZE, frequencies=5, frequency_scale=0.2, shared=shared)
    context = layer_context(layer, (4,))
    module = rtdl.PeriodicEmbeddings(4, SIZE, n_frequencies=5, frequency_init_scale=0.2, lite=shared).double()
    context.params["frequency"][...] = array(module.periodic.weight)
    weight = array(module.linear.weight)
    context.params["weight"][...] = weight.T if shared else weight
    context.params["bias"][...] = array(module.linear.bias)

    def grads():
        slope = module.linear.weight.grad
        return {
            "frequency": module.periodic.weight.grad,
            "weight": slope.T if shared else slope,
            "bias": module.linear.bias.grad,
        }

    compare(layer, context, module, x, grads)


@pytest.mark.parametrize("count", [80, 900])
def test_quantiles_are_those_of_scikit_learn(count):
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="the parity extra is not installed")
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.standard_normal(count), rng.exponential(size=count), rng.integers(0, 3, count)])
    layer = QuantileTransform(noise=0.0)
    context = layer_context(layer, (3,))
    context.masks = (None,)
    layer.prepare(context, [(x, None)])
    theirs = preprocessing.QuantileTransformer(n_quantiles=max(count // 30, 10), output_distribution="normal").fit(x)
    new = np.concatenate([x, 1.5 * rng.standard_normal((200, 3)), [[-9.0, -9, -9], [99, 99, 99]]])
    np.testing.assert_allclose(layer.forward(context, new), theirs.transform(new), rtol=1e-9, atol=1e-9)


def model_and_network(embedded, classes):
    """A model of `tabm` in float64 and our network with its weights, both for numbers (4,) and two codes."""
    x = rows()
    embedding = None
    if embedded:
        bins = rtdl.compute_bins(torch.tensor(x), n_bins=BINS)
        embedding = rtdl.PiecewiseLinearEmbeddings(bins, SIZE, activation=False, version="B")
    torch.manual_seed(0)
    given = {"n_num_features": 4, "cat_cardinalities": [2], "d_out": 3 if classes else 1, "num_embeddings": embedding}
    model = tabm.TabM.make(**given, k=MEMBERS, n_blocks=2, d_block=7, dropout=0.0).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    layer = {
        "type": "tabm",
        "out_features": 3 if classes else 1,
        "members": MEMBERS,
        "hidden_features": [7, 7],
        "dropout": 0.0,
        "number_embedding": {"type": "piecewise_linear", "embedding_size": SIZE, "bins": BINS}
        if embedded
        else "identity",
        "inputs": ["numbers", "codes"],
        "name": "tabm",
    }
    ending = ["softmax", "ensemble_mean"] if classes else ["ensemble_mean", "unstandardize"]
    spec = {"input": {"numbers": [4], "codes": [2]}, "layers": [layer, *ending], "dtype": "float64"}
    network = modnet.build({"network": spec}, seed=0)
    # The numbers are given as they are: their model has no transformation of its own.
    quantile = network.graph.nodes[0]
    assert quantile.layer.type == "quantile_transform"
    return model, network, x


def weights_of(model):
    found = {}
    if model.num_module is not None:
        found["numbers.piecewise_linear_1.linear"] = array(model.num_module.linear0.weight)
        found["numbers.piecewise_linear_1.bias"] = array(model.num_module.linear0.bias)
        found["numbers.piecewise_linear_1.weight"] = padded(array(model.num_module.linear.weight), BINS)
    for number, block in enumerate(model.backbone.blocks, 1):
        name, layer = f"batch_ensemble_{number}", block[0]
        found[f"{name}.weight"] = array(layer.weight).T
        found[f"{name}.input_scale"] = array(layer.r)
        found[f"{name}.output_scale"] = array(layer.s)
        found[f"{name}.bias"] = array(layer.bias)
    found["output.linear_1.weight"] = array(model.output.weight)
    found["output.linear_1.bias"] = array(model.output.bias)
    return {f"tabm.{name}": value for name, value in found.items()}


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("embedded", [True, False])
def test_tabm_gives_the_same_outputs_and_steps(embedded, classes, monkeypatch):
    # The numbers go in as they are, since `tabm` leaves their transformation to its user.
    monkeypatch.setattr(QuantileTransform, "prepare", lambda *_: None)
    model, network, x = model_and_network(embedded, classes)
    weights = weights_of(model)
    assert weights.keys() == set(network.parameters)
    for name, value in weights.items():
        network.parameters[name] = value
    rng = np.random.default_rng(2)
    category = rng.integers(0, 2, ROWS)
    given = {"numbers": x, "codes": np.eye(2)[category]}
    y = rng.integers(0, 3, ROWS) if classes else rng.standard_normal((ROWS, 1)) * 3 + 1
    theirs = torch.tensor(x), torch.tensor(category)[:, None]

    def outputs():
        with torch.no_grad():
            found = model(*theirs)
        return array(found.softmax(-1).mean(1) if classes else found.mean(1) * y.std() + y.mean())

    def train(**options):
        loss = "cross_entropy" if classes else "mse"
        modnet.train(network, given, y, loss=loss, batch_size=ROWS, **options)

    train(optimizer={"type": "sgd", "learning_rate": 0.0}, epochs=1)
    np.testing.assert_allclose(network.forward(given), outputs(), rtol=1e-5, atol=1e-7)

    train(optimizer={"type": "adam", "learning_rate": 2e-3}, epochs=STEPS)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(STEPS):
        found = model(*theirs).flatten(0, 1)
        target = torch.tensor(y if classes else (y - y.mean()) / y.std()).repeat_interleave(MEMBERS, dim=0)
        functional = torch.nn.functional
        loss = functional.cross_entropy(found, target) if classes else functional.mse_loss(found, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(network.forward(given), outputs(), rtol=1e-5, atol=1e-7)
