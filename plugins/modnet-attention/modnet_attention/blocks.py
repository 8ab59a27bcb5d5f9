"""What transformers are made of, as compositions that a spec could spell out."""

from __future__ import annotations

from collections.abc import Sequence

from modnet.activations import GELU, SiLU
from modnet.configuration.fields import field
from modnet.kinds.activation import Activation
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite, Node
from modnet.layers.composite import Residual
from modnet.layers.linear import Linear
from modnet.layers.merge import Multiply
from modnet.layers.noise import Dropout
from modnet.layers.norm import LayerNorm, RMSNorm
from modnet_attention.attention import MultiHeadAttention


class FeedForward(Composite, type="feed_forward"):
    """Two affine maps with an activation between them, for each step by itself: f(x W1 + b1) W2 + b2.

    With `gated`, (f(x W + b) * (x V + c)) W2 + b2: with silu this is SwiGLU, with gelu GEGLU. Shapes: (..., features)
    -> (..., out_features).

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 2; Shazeer 2020, arXiv:2002.05202, equations 5 and 6, where
    there are no biases.

    Attributes:
        hidden_features: of what is between the maps.
        out_features: of the output; in a transformer those of the input.
        activation: f.
        gated: whether a third map multiplies f.
        dropout: its rate, before the last map.
        bias: whether the maps have biases.
    """

    hidden_features: int = field(minimum=1)
    out_features: int = field(minimum=1)
    activation: Activation = GELU()
    gated: bool = False
    dropout: float = field(default=0.0, minimum=0.0, below=1.0)
    bias: bool = True

    @classmethod
    def examples(cls) -> Sequence[Example]:
        swiglu = cls(hidden_features=6, out_features=4, activation=SiLU(), gated=True, bias=False)
        return (Example(cls(hidden_features=8, out_features=4), ((5, 4),)), Example(swiglu, ((None, 4),)))

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        hidden = Linear(out_features=self.hidden_features, bias=self.bias)
        nodes = [Node(layer=hidden, name="hidden", activation=self.activation)]
        if self.gated:
            nodes.append(Node(layer=hidden, name="linear", inputs=(inputs[0],)))
            nodes.append(Node(layer=Multiply(), inputs=("hidden", "linear")))
        if self.dropout:
            nodes.append(Node(layer=Dropout(rate=self.dropout)))
        return [*nodes, Node(layer=Linear(out_features=self.out_features, bias=self.bias), name="output")]


class TransformerBlock(Composite, type="transformer_block"):
    """Attention and then a feed-forward layer, each with a norm and a residual connection.

    With `norm_first`, x + F(norm(x)) for each of the two; without it, norm(x + F(x)) as in the first transformers.
    Shapes: (time, features) -> the same. The block stands for

        { type = "residual", name = "attention", layers = [
          "layer_norm", { type = "multi_head_attention", heads = 8 }, { type = "dropout", rate = 0.1 },
        ] },
        { type = "residual", name = "feed_forward", layers = [
          "layer_norm", { type = "feed_forward", hidden_features = 512, out_features = 128 },
          { type = "dropout", rate = 0.1 },
        ] },

    or for the same with the norms after the residuals.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; Xiong et al. 2020, arXiv:2002.04745 (`norm_first`).

    Attributes:
        features: of its input, and of its output.
        hidden_features: of the feed-forward layer, by default 4 * features.
        norm_first: whether the norm comes first, which trains without a warm-up of the learning rate.
        norm: `layer_norm`, `rms_norm` or another layer that keeps the shape.
        activation, gated: of the feed-forward layer.
        dropout: the rate of dropout of attention weights, within the feed-forward layer, and at the end of both.
        heads, head_size, key_value_heads, causal, rotary, rotary_base: as in `multi_head_attention`.
        bias: whether the maps of attention and of the feed-forward layer have biases.
    """

    features: int = field(minimum=1)
    heads: int = field(minimum=1)
    hidden_features: int | None = field(default=None, minimum=1)
    head_size: int | None = field(default=None, minimum=1)
    key_value_heads: int | None = field(default=None, minimum=1)
    causal: bool = False
    rotary: bool = False
    rotary_base: float = field(default=10_000.0, above=1.0)
    norm_first: bool = True
    norm: Layer = LayerNorm()
    activation: Activation = GELU()
    gated: bool = False
    dropout: float = field(default=0.0, minimum=0.0, below=1.0)
    bias: bool = True

    @classmethod
    def examples(cls) -> Sequence[Example]:
        modern = cls(
            features=8,
            heads=4,
            hidden_features=6,
            key_value_heads=2,
            causal=True,
            rotary=True,
            norm=RMSNorm(),
            activation=SiLU(),
            gated=True,
            bias=False,
        )
        return (
            Example(cls(features=4, heads=2), ((5, 4),)),
            Example(cls(features=4, heads=2, norm_first=False), ((5, 4),)),
            Example(modern, ((None, 8),)),
        )

    def check(self) -> None:
        self._attention()

    def _attention(self) -> MultiHeadAttention:
        return MultiHeadAttention(
            heads=self.heads,
            head_size=self.head_size,
            key_value_heads=self.key_value_heads,
            causal=self.causal,
            rotary=self.rotary,
            rotary_base=self.rotary_base,
            dropout=self.dropout,
            bias=self.bias,
        )

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        feed_forward = FeedForward(
            hidden_features=self.hidden_features or 4 * self.features,
            out_features=self.features,
            activation=self.activation,
            gated=self.gated,
            dropout=self.dropout,
            bias=self.bias,
        )
        nodes = []
        for name, layer in (("attention", self._attention()), ("feed_forward", feed_forward)):
            branch = [Node(layer=layer)]
            if self.dropout:
                branch.append(Node(layer=Dropout(rate=self.dropout)))
            if self.norm_first:
                branch.insert(0, Node(layer=self.norm))
            nodes.append(Node(layer=Residual(layers=tuple(branch)), name=name))
            if not self.norm_first:
                nodes.append(Node(layer=self.norm))
        return nodes
