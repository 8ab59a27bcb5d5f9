"""The function that exports a component: a method of the component, or a function of this package."""

from __future__ import annotations

from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation, Translations

METHOD = "to_onnx"
"""The method by which a component writes itself: `def to_onnx(self, writer, *inputs)`."""

MODULES = {
    "modnet.activations.gated": "activations",
    "modnet.activations.rectified": "activations",
    "modnet.activations.sigmoid": "activations",
    "modnet.activations.softmax": "activations",
    "modnet.layers.embedding": "layers",
    "modnet.layers.linear": "layers",
    "modnet.layers.members": "ensembles",
    "modnet.layers.merge": "layers",
    "modnet.layers.noise": "layers",
    "modnet.layers.norm": "normalization",
    "modnet.layers.piecewise": "layers",
    "modnet.layers.pooling": "layers",
    "modnet.layers.shape": "layers",
    "modnet.layers.standardize": "normalization",
    "modnet.layers.temperature": "layers",
    "modnet_attention.attention": "attention",
    "modnet_attention.positions": "attention",
    "modnet_conv.augmentation": "images",
    "modnet_conv.convolution": "convolution",
    "modnet_conv.pooling": "pooling",
    "modnet_conv.resampling": "images",
    "modnet_recurrent.gru": "recurrent",
    "modnet_recurrent.lstm": "recurrent",
    "modnet_recurrent.masking": "recurrent",
    "modnet_recurrent.rnn": "recurrent",
    "modnet_tabular.activations": "tabular",
    "modnet_tabular.categories": "tabular",
    "modnet_tabular.clipping": "tabular",
    "modnet_tabular.linear": "tabular",
    "modnet_tabular.members": "tabular",
    "modnet_tabular.numbers": "tabular",
    "modnet_tabular.piecewise": "tabular",
    "modnet_tabular.quantiles": "quantiles",
    "modnet_tabular.scaling": "tabular",
}
"""A module of components -> the one here that exports them: its `EXPORTS` has a function for each class, by name."""

_TRANSLATIONS = Translations(
    METHOD, {module: f"modnet_onnx.exporting.{name}" for module, name in MODULES.items()}, "EXPORTS"
)


def export_of(layer: Layer) -> Translation | None:
    """What exports a layer, called with a writer and the inputs; None if nothing does."""
    return _TRANSLATIONS.of(layer)


def refusal(layer: Layer) -> str | None:
    """Why a layer cannot be exported; None if it can be."""
    if export_of(layer) is None:
        cls = type(layer.stands_for)
        return f"{cls.__module__}.{cls.__qualname__} has no method {METHOD}"
    inner = (value for value in vars(layer).values() if isinstance(value, Layer))
    return next(filter(None, map(refusal, inner)), None)
