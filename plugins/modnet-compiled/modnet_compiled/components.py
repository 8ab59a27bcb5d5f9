"""The function that lowers a component: a method of the component, or a function of this package."""

from __future__ import annotations

from modnet.kinds.layer import Layer
from modnet.kinds.translations import Translation, Translations

METHOD = "compiled"
"""The method by which a component lowers itself: `def compiled(self, writer, *inputs)`."""

MODULES = {
    "modnet.activations.gated": "activations",
    "modnet.activations.rectified": "activations",
    "modnet.activations.sigmoid": "activations",
    "modnet.activations.softmax": "activations",
    "modnet.layers.embedding": "layers",
    "modnet.layers.linear": "layers",
    "modnet.layers.members": "members",
    "modnet.layers.merge": "layers",
    "modnet.layers.noise": "layers",
    "modnet.layers.norm": "layers",
    "modnet.layers.piecewise": "layers",
    "modnet.layers.pooling": "layers",
    "modnet.layers.shape": "layers",
    "modnet.layers.standardize": "layers",
    "modnet.layers.temperature": "activations",
    "modnet_conv.augmentation": "images",
    "modnet_conv.convolution": "images",
    "modnet_conv.pooling": "images",
    "modnet_conv.resampling": "images",
    "modnet_recurrent.gru": "recurrent",
    "modnet_recurrent.lstm": "recurrent",
    "modnet_recurrent.masking": "recurrent",
    "modnet_recurrent.rnn": "recurrent",
    "modnet_tabular.activations": "tables",
    "modnet_tabular.categories": "tables",
    "modnet_tabular.clipping": "tables",
    "modnet_tabular.linear": "tables",
    "modnet_tabular.members": "tables",
    "modnet_tabular.numbers": "tables",
    "modnet_tabular.piecewise": "tables",
    "modnet_tabular.quantiles": "tables",
    "modnet_tabular.scaling": "tables",
}
"""A module of components -> the one of `lowering` for them: its `LOWERINGS` has a function for each class, by name."""

_TRANSLATIONS = Translations(
    METHOD, {module: f"modnet_compiled.lowering.{name}" for module, name in MODULES.items()}, "LOWERINGS"
)


def lowering_of(layer: Layer) -> Translation | None:
    """What lowers a layer, called with a writer and the inputs; None if nothing does."""
    return _TRANSLATIONS.of(layer)
