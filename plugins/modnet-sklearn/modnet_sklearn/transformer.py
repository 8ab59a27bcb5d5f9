"""The transformer: an autoencoder."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted

import modnet
from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.words import show
from modnet_sklearn import arguments
from modnet_sklearn.estimator import DTYPES, ModnetEstimator
from modnet_sklearn.following import with_callbacks
from modnet_sklearn.parts import with_arrays
from modnet_sklearn.scaling import TARGET, scale

CODE = "code"
"""The name of the node whose output is the code."""


@dataclass(eq=False, repr=False)
class ModnetTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ModnetEstimator):
    """An autoencoder: a network that gives back its input through a narrow layer, whose values are the new features.

    Args:
        n_components: the width of that layer; `hidden_layer_sizes` are the layers before it, and in reverse those
            behind it. Beside it the arguments of `ModnetEstimator`.
    """

    _: KW_ONLY
    n_components: int = 2

    @with_callbacks
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Trains an autoencoder.

        Args:
            X: (samples, features): an array, a sparse matrix, or a data frame, which may have columns of texts,
                categories and dates.
            y: not used.
            sample_weight: of each sample, (samples,). A row of weight 2 counts as two rows.
        """
        again = self.warm_start and self._is_fitted()
        return self._fit(X, None, sample_weight, again=again, incremental=False)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Trains for one epoch with these rows; the optimizer continues where the previous call stopped."""
        return super().partial_fit(X, None, sample_weight)

    def _attributes_of(self, network: modnet.Network) -> dict[str, Any]:
        encoder, decoder = _parted(network)
        return {"_network": network, "_encoder": encoder, "_decoder": decoder}

    def _learn_target(self, X: Array, y: Any) -> None:
        self._width = X.shape[1]

    def _encoded(self, X: Array, y: Any) -> Array:
        return X

    def _usual_loss(self) -> Any:
        return "mse"

    def _score_name(self) -> str:
        return "r2"

    def _hidden(self, penalty: float) -> list[Any]:
        if self.n_components < 1:
            raise ValueError(f"n_components: expected a whole number >= 1; found {show(self.n_components)}")
        units = arguments.sizes(self)
        code = {**arguments.linear(int(self.n_components), penalty), "name": CODE}
        return [
            *arguments.hidden_layers(self, units, penalty),
            code,
            *arguments.hidden_layers(self, units[::-1], penalty),
        ]

    def _ending(self, penalty: float) -> list[Any]:
        last = arguments.linear(self._width, penalty)
        return [last, {"type": "unstandardize", "name": TARGET}] if self._scales() else [last]

    def _prepare_ending(self, network: modnet.Network, target: Array, weights: Array | None) -> None:
        if self._scales():
            scale(network, TARGET, target, weights)

    # Transforming

    def transform(self, X: Any) -> Array:
        """The code of each row, (rows, components)."""
        return self._outputs(X)

    def inverse_transform(self, X: Any) -> Array:
        """The rows that the network makes of codes, (rows, features)."""
        check_is_fitted(self, "n_iter_")
        if self._decoder is None:
            raise ValueError(f"layers after {CODE} read layers before it, so the code alone does not determine the row")
        array = check_array(X, dtype=DTYPES)
        return self._decoder.forward(array).astype(array.dtype, copy=False)

    @property
    def _n_features_out(self) -> int:
        (shape,) = self._encoder.outputs.values()
        return int(shape[0])

    def _predictor(self) -> modnet.Network:
        return self._encoder

    def _scales(self) -> bool:
        return bool(self.standardize) and not self._sparse

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # Model files

    def _target_columns(self) -> list[ColumnSchema]:
        return []

    @classmethod
    def _of_network(cls, network: modnet.Network, metadata: dict[str, Any]) -> Self:
        ((width,),) = network.outputs.values()
        assert width is not None  # no axis of an output of a table's network is variable
        made = cls(n_components=width)
        made._network = made._encoder = network
        made._decoder = None
        return made


def _parted(network: modnet.Network) -> tuple[modnet.Network, modnet.Network | None]:
    """The layers up to the code, and those after it, or None if these read other outputs besides the code."""
    spec = network.card.spec.network
    names = [node.name for node in spec.layers]
    if CODE not in names:
        raise ValueError('the spec has no node called "code": give the layer whose output is the code that name')
    behind = names.index(CODE) + 1
    encoder = with_arrays(network, spec.replace(layers=spec.layers[:behind]), here=0, there=0)
    if any(node.inputs is not None for node in spec.layers[behind:]):
        return encoder, None
    (width,) = encoder.graph.nodes[-1].shape
    rest = spec.replace(layers=spec.layers[behind:], input=(width,))
    return encoder, with_arrays(network, rest, here=len(encoder.graph.nodes), there=0)
