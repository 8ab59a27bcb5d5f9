"""Networks as people write them in torch, small, each with inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.norm2 = nn.BatchNorm2d(12)
        self.head = nn.Linear(12 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.norm1(self.conv1(x))), 2)
        return self.head(torch.flatten(functional.relu(self.norm2(self.conv2(x))), 1))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 with an eighth of its channels."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        blocks, inputs = [], width
        for number, stride in enumerate((1, 2, 2, 2)):
            outputs = width * 2**number
            blocks += [BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1)]
            inputs = outputs
        self.body = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)))


class InvertedResidual(nn.Module):
    """A block of MobileNetV3, with squeeze and excitation."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        hidden = 4 * inputs
        self.keeps = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()),
            *(nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden)),
            *(nn.Hardswish(), nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.excite = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(outputs, outputs // 2, 1), nn.ReLU()),
            *(nn.Conv2d(outputs // 2, outputs, 1), nn.Hardsigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        y = y * self.excite(y)
        return x + y if self.keeps else y


class MobileNet(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish()),
            *(InvertedResidual(8, 8, 1), InvertedResidual(8, 16, 2), InvertedResidual(16, 16, 1)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 7)),
        )


def double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()),
        *(nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU()),
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = double(1, 4), double(4, 8), double(8, 16)
        self.up2, self.merge2 = nn.ConvTranspose2d(16, 8, 2, 2), double(16, 8)
        self.up1, self.merge1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), double(12, 4)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(functional.max_pool2d(first, 2))
        third = self.down3(functional.max_pool2d(second, 2))
        y = self.merge2(torch.cat([self.up2(third), second], 1))
        return self.head(self.merge1(torch.cat([self.up1(y), first], 1)))


class Tagger(nn.Module):
    """An embedding, a recurrent layer, and a linear map of its last step or of each."""

    def __init__(self, layer: Callable[..., Any], both: bool = False, layers: int = 1, last: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.recurrent = layer(6, 7, layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear(14 if both else 7, 3)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.recurrent(self.embedding(x))
        return self.head(y[:, -1] if self.last else y)


class States(nn.Module):
    """An LSTM of two layers that gives its sequence and its states."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(5, 7, 2, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, (hidden, cell) = self.recurrent(x)
        return y, hidden, cell


class Encoder(nn.Module):
    """torch's own transformer encoder."""

    def __init__(self, norm_first: bool = False) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu", norm_first=norm_first)
        self.place = nn.Parameter(torch.randn(1, 6, 16))
        self.into = nn.Linear(5, 16)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.into(x) + self.place).mean(1))


class Block(nn.Module):
    """A block of GPT-2."""

    def __init__(self, features: int, heads: int, steps: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
        self.into, self.out = nn.Linear(features, 3 * features), nn.Linear(features, features)
        self.feed = nn.Sequential(
            nn.Linear(features, 4 * features), nn.GELU(approximate="tanh"), nn.Linear(4 * features, features)
        )
        self.register_buffer("mask", torch.tril(torch.ones(steps, steps)).view(1, 1, steps, steps))

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, features = x.shape
        parts = self.into(self.norm1(x)).split(features, 2)
        query, key, value = (z.view(batch, steps, self.heads, features // self.heads).transpose(1, 2) for z in parts)
        scores = (query @ key.transpose(-2, -1)) / (features // self.heads) ** 0.5
        shares = scores.masked_fill(self.mask[:, :, :steps, :steps] == 0, float("-inf")).softmax(-1)
        x = x + self.out((shares @ value).transpose(1, 2).contiguous().view(batch, steps, features))
        return x + self.feed(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, steps: int = 8, features: int = 16, vocabulary: int = 20) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, features), nn.Embedding(steps, features)
        self.body = nn.Sequential(Block(features, 2, steps), Block(features, 2, steps))
        self.norm = nn.LayerNorm(features)
        self.head = nn.Linear(features, vocabulary, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.norm(self.body(self.words(ids) + self.places(torch.arange(ids.shape[1])))))


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.place = nn.Parameter(torch.randn(1, 17, 16))
        self.body = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        z = self.patches(x).flatten(2).transpose(1, 2)
        z = torch.cat([self.token.expand(z.shape[0], -1, -1), z], 1) + self.place
        return self.head(self.body(z)[:, 0])


class Autoencoder(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(1, 4, 3, 2, 1), nn.ELU(), nn.Conv2d(4, 8, 3, 2, 1), nn.SELU(), nn.Flatten()),
            *(nn.Linear(8 * 4 * 4, 6), nn.Linear(6, 128), nn.LeakyReLU(0.1), nn.Unflatten(1, (8, 4, 4))),
            *(nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.SiLU(), nn.ConvTranspose2d(4, 1, 3, 2, 1, 1), nn.Sigmoid()),
        )


class TemporalNet(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv1d(3, 8, 3, padding=2, dilation=2), nn.GELU(), nn.GroupNorm(2, 8), nn.MaxPool1d(2)),
            *(nn.Conv1d(8, 8, 3), nn.InstanceNorm1d(8, affine=True), nn.PReLU(8), nn.AdaptiveAvgPool1d(1)),
            *(nn.Flatten(), nn.Linear(8, 2), nn.LogSoftmax(-1)),
        )


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3), nn.Softmax(-1))


def ids(*shape: int) -> Tensor:
    return torch.randint(0, 20, shape)


ARCHITECTURES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "mlp": (mlp, lambda: torch.randn(4, 5)),
    "cnn": (ConvNet, lambda: torch.randn(2, 3, 16, 16)),
    "resnet18": (ResNet18, lambda: torch.randn(2, 3, 64, 64)),
    "mobilenet": (MobileNet, lambda: torch.randn(2, 3, 32, 32)),
    "unet": (UNet, lambda: torch.randn(2, 1, 16, 16)),
    "autoencoder": (Autoencoder, lambda: torch.randn(2, 1, 16, 16)),
    "temporal": (TemporalNet, lambda: torch.randn(3, 3, 20)),
    "lstm": (lambda: Tagger(nn.LSTM), lambda: ids(3, 6)),
    "lstm_both_ways": (lambda: Tagger(nn.LSTM, both=True, layers=2, last=False), lambda: ids(3, 6)),
    "lstm_states": (States, lambda: torch.randn(3, 6, 5)),
    "gru": (lambda: Tagger(nn.GRU, layers=2), lambda: ids(3, 6)),
    "gru_both_ways": (lambda: Tagger(nn.GRU, both=True), lambda: ids(3, 6)),
    "rnn": (lambda: Tagger(nn.RNN), lambda: ids(3, 6)),
    "transformer": (Encoder, lambda: torch.randn(3, 6, 5)),
    "transformer_norm_first": (lambda: Encoder(norm_first=True), lambda: torch.randn(3, 6, 5)),
    "gpt": (GPT, lambda: ids(3, 8)),
    "vision_transformer": (VisionTransformer, lambda: torch.randn(2, 3, 16, 16)),
}
