"""Networks that people have in torch, and the specs of the same networks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'modnet-torch[torch]'")
nn, F = torch.nn, torch.nn.functional


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


class Pair:
    """A torch model, the spec of the same network, and inputs for both.

    Attributes:
        x: as modnet takes it: channels last.
        theirs: as torch takes it.
    """

    def __init__(self, model, network, x, theirs=None):
        self.model = model.eval()
        self.spec = {"network": network}
        self.x = x
        self.theirs = torch.from_numpy(np.ascontiguousarray(x if theirs is None else theirs))

    def predicted(self):
        with torch.no_grad():
            return self.model(self.theirs).numpy()


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def settled(model, x):
    """The model after some batches, so that its running means are not those of the beginning."""
    model.train()
    for _ in range(3):
        model(torch.from_numpy(x) * 2 + 1)
    return model


def mlp():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 3)
    )
    layers = [
        *(linear(16), "batch_norm", "relu"),
        *(linear(16, activation="tanh"), {"type": "dropout", "rate": 0.1}, linear(3)),
    ]
    return Pair(settled(model, numbers(20, 6)), {"input": [6], "layers": layers}, numbers(5, 6))


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 12, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(12 * 2 * 3, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 5)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def cnn():
    torch.manual_seed(0)
    model = settled(CNN(), numbers(6, 3, 8, 12))
    conv = {"type": "conv2d", "kernel_size": 3, "padding": 1}
    pool = {"type": "max_pool2d", "pool_size": 2}
    layers = [
        *({**conv, "out_channels": 8}, "batch_norm", "relu", pool),
        *({**conv, "out_channels": 12, "groups": 2, "bias": False}, "batch_norm", "relu", pool),
        *("flatten", linear(20), "batch_norm", "relu", linear(5)),
    ]
    x = numbers(4, 8, 12, 3)
    return Pair(model, {"input": [8, 12, 3], "layers": layers}, x, x.transpose(0, 3, 1, 2))


class BasicBlock(nn.Module):
    """As in torchvision's ResNet, whose shortcut is registered last."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1:
            short = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(short, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(BasicBlock(4, 4, 1), BasicBlock(4, 4, 1))
        self.layer2 = nn.Sequential(BasicBlock(4, 8, 2), BasicBlock(8, 8, 1))
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean(dim=(2, 3)))


def resnet():
    """In the spec the shortcut comes first."""
    torch.manual_seed(0)
    model = settled(ResNet(), numbers(6, 3, 8, 8))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)

    def conv(outputs, stride=1, **options):
        size = {"kernel_size": 3, "padding": [[1, 1], [1, 1]]}
        return {"type": "conv2d", "out_channels": outputs, **size, "stride": stride, "bias": False, **options}

    layers, last = [conv(4), "batch_norm", {"type": "relu", "name": "start"}], "start"
    for number, (outputs, stride) in enumerate([(4, 1), (4, 1), (8, 2), (8, 1)]):
        short = last
        if stride > 1:
            layers.append(conv(outputs, stride, kernel_size=1, padding=0, inputs=[last]))
            layers.append({"type": "batch_norm", "name": "short"})
            short = "short"
        layers += [conv(outputs, stride, inputs=[last]), "batch_norm", "relu", conv(outputs)]
        layers += [{"type": "batch_norm", "name": f"long{number}"}, {"type": "add", "inputs": [short, f"long{number}"]}]
        last = f"block{number}"
        layers.append({"type": "relu", "name": last})
    x = numbers(4, 8, 8, 3)
    network = {"input": [8, 8, 3], "layers": [*layers, "global_average_pool", linear(3)]}
    return Pair(model, network, x, x.transpose(0, 3, 1, 2))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = kind(5, 7, batch_first=True, **options)
        self.head = nn.Linear(7 * (1 + bool(options.get("bidirectional"))), 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


def recurrent(kind, layer, **options):
    torch.manual_seed(0)
    layer = {"type": layer, "hidden_size": 7}
    if options.get("bidirectional"):
        layer = {"type": "bidirectional", "layer": layer}
    layers = [*[layer] * options.get("num_layers", 1), linear(2)]
    return Pair(Recurrent(kind, **options), {"input": ["variable", 5], "layers": layers}, numbers(3, 6, 5))


def lstm():
    return recurrent(nn.LSTM, "lstm", num_layers=2)


def both_ways():
    return recurrent(nn.LSTM, "lstm", num_layers=2, bidirectional=True)


def gru():
    return recurrent(nn.GRU, "gru", num_layers=2)


class SelfAttention(nn.Module):
    """As in nanoGPT: one map for queries, keys and values, and a mask that is a buffer."""

    def __init__(self, size, heads, length):
        super().__init__()
        self.c_attn, self.c_proj, self.heads = nn.Linear(size, 3 * size), nn.Linear(size, size), heads
        self.register_buffer("bias", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def forward(self, x):
        batch, time, size = x.shape
        q, k, v = (part.view(batch, time, self.heads, -1).transpose(1, 2) for part in self.c_attn(x).split(size, dim=2))
        scores = (q @ k.transpose(-2, -1)) / q.shape[-1] ** 0.5
        scores = scores.masked_fill(self.bias[:, :, :time, :time] == 0, float("-inf"))
        return self.c_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, size))


class Block(nn.Module):
    def __init__(self, size, heads, length):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(size), SelfAttention(size, heads, length)
        self.ln_2 = nn.LayerNorm(size)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(size, 4 * size), "c_proj": nn.Linear(4 * size, size)})

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary=11, length=8, size=12, heads=3, blocks=2):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocabulary, size),
                "wpe": nn.Embedding(length, size),
                "h": nn.ModuleList([Block(size, heads, length) for _ in range(blocks)]),
                "ln_f": nn.LayerNorm(size),
            }
        )
        self.lm_head = nn.Linear(size, vocabulary, bias=False)

    def forward(self, ids):
        parts = self.transformer
        x = parts["wte"](ids) + parts["wpe"](torch.arange(ids.shape[1]))
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))


def gpt_network():
    block = {"type": "transformer_block", "features": 12, "heads": 3, "causal": True}
    embedding = {"type": "embedding", "vocabulary_size": 11, "embedding_size": 12}
    positions = {"type": "positional_embedding", "max_length": 8}
    return {
        "input": ["variable"],
        "layers": [embedding, positions, block, block, "layer_norm", linear(11, bias=False)],
    }


def gpt():
    torch.manual_seed(0)
    ids = np.random.default_rng(0).integers(0, 11, (4, 8))
    return Pair(GPT(), gpt_network(), ids)


def encoder():
    """torch's own transformer: packed projections, norms behind the rest in the order of registration."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(12, 2))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    block = {"type": "transformer_block", "features": 12, "heads": 3, "hidden_features": 20}
    block = {**block, "norm_first": False, "activation": "relu"}
    return Pair(model, {"input": ["variable", 12], "layers": [block, block, linear(2)]}, numbers(3, 5, 12))


PAIRS = {pair.__name__: pair for pair in (mlp, cnn, resnet, lstm, both_ways, gru, gpt, encoder)}
