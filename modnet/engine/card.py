"""The model card: what is known about a model besides its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from modnet.engine.history import History
from modnet.records import Record, fresh
from modnet.specs.model import Spec, TrainingSpec


class StoredTraining(Protocol):
    """The training of a model file, not read yet: predicting must not need the plugins that only training uses."""

    def read(self) -> TrainingSpec:
        """Raises PluginError if a component is not available."""
        ...


class ModelCard(Record, eq=False):
    """What is known about a model besides its arrays: `network.card`.

    A card is immutable: `replace` and `trained` make another one, which you assign to the network:
    `network.card = network.card.replace(metadata={...})`. The dicts in it may be changed. A model file stores the whole
    card, except the places of the data.

    Attributes:
        spec: what the network was built from. For a loaded network, `spec.training` is None until `training` is read.
        schema: the columns, categories and class names of the table that it was trained on, or None.
        history: the course of its training; a mapping, name -> a value for each epoch, becomes a `History`.
        metrics: the final figures: name -> value.
        results: what callbacks and commands have found out about the model: name -> plain values.
        metadata: the user's own plain values.
        data: name -> a fingerprint of the training data.
        folder: that of the spec file, to which the paths in `spec.data` are relative; "" for the current one.
        stored_training: the training of a network from a model file, until `training` reads it.
        trained_as: its last training, with the arguments of that call; None for a network that was not trained here.
    """

    spec: Spec
    schema: Any = None
    history: History = fresh(factory=History)
    metrics: dict[str, Any] = fresh(factory=dict)
    results: dict[str, Any] = fresh(factory=dict)
    metadata: dict[str, Any] = fresh(factory=dict)
    data: dict[str, str] = fresh(factory=dict)
    folder: str = ""
    stored_training: StoredTraining | None = None
    trained_as: TrainingSpec | None = None

    def __post_init__(self) -> None:
        self.__dict__["history"] = History.of(self.history)

    @property
    def training(self) -> TrainingSpec | None:
        """How the network was trained; before its first training, `planned_training`.

        Raises the errors of `planned_training`.
        """
        return self.trained_as or self.planned_training

    @property
    def planned_training(self) -> TrainingSpec | None:
        """How the network is trained where a call says nothing else, from the spec or the model file.

        Raises:
            PluginError: a plugin that only training needs is not installed, or is broken.
        """
        if self.spec.training is None and self.stored_training is not None:
            # A cache, not a change: the value is the same as before, only read.
            self.__dict__["spec"] = self.spec.replace(training=self.stored_training.read())
        return self.spec.training

    def replace(self, **changes: Any) -> ModelCard:
        """The same card with other values of some attributes.

        Args:
            changes: attribute -> value; also `training`, for that of the spec, with which the next one begins.
        """
        if "training" in changes:
            changes["spec"] = changes.get("spec", self.spec).replace(training=changes.pop("training"))
            changes.setdefault("trained_as", None)
        return super().replace(**changes)

    def trained(
        self, history: Mapping[str, Any], metrics: Mapping[str, Any], data: Mapping[str, str] | None = None
    ) -> ModelCard:
        """The card after a training: with the figures of its epochs, the final ones, and fingerprints of the data."""
        known = {} if data is None else {"data": dict(data)}
        course = history.recorded() if isinstance(history, History) else dict(history)
        # Intervals were made from the errors of other weights.
        schema = None if self.schema is None else self.schema.with_intervals({})
        return self.replace(history=course, metrics=dict(metrics), schema=schema, **known)

    def _repr_html_(self) -> str:
        from modnet.engine.notebook import card_html  # not at the top: for notebooks alone

        return card_html(self)
