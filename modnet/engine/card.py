"""The model card: what is known of a model beside its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from modnet.records import Record, fresh
from modnet.specs.model import Spec, TrainingSpec


class StoredTraining(Protocol):
    """The training of a model file, not yet read: components that only training needs are not loaded to predict."""

    def read(self) -> TrainingSpec:
        """Raises PluginError for a component that cannot be had."""
        ...


class ModelCard(Record, eq=False):
    """What is known of a model beside its arrays: `network.card`.

    A card never changes: `replace` and `trained` give another one, which takes its place in the network,
    `network.card = network.card.replace(metadata={...})`. The dicts in it may be written to. A model file stores the
    whole card but for the places of the data.

    Attributes:
        spec: what the network was built from. Of a loaded network `spec.training` is None until `training` is read.
        schema: the columns, categories and class names of the table that it was trained on, or None.
        history: how it was trained: name -> value for each epoch, a list; where it is long and the network was loaded,
            an array for a figure that is one in each epoch.
        metrics: the final figures: name -> value.
        results: what callbacks and commands found out about the model: name -> plain values.
        metadata: the user's own, plain values.
        data: name -> a text that tells the data of its training from others.
        stored_training: how a network from a model file was trained, until somebody asks for it.
    """

    spec: Spec
    schema: Any = None
    history: dict[str, Any] = fresh(factory=dict)
    metrics: dict[str, Any] = fresh(factory=dict)
    results: dict[str, Any] = fresh(factory=dict)
    metadata: dict[str, Any] = fresh(factory=dict)
    data: dict[str, str] = fresh(factory=dict)
    stored_training: StoredTraining | None = None

    @property
    def training(self) -> TrainingSpec | None:
        """How the network is trained, as the spec or the model file says.

        Raises:
            PluginError: a plugin that only training needs is not installed or broken.
        """
        if self.spec.training is None and self.stored_training is not None:
            # The same value as before, but read; whoever holds this card sees it too.
            self.__dict__["spec"] = self.spec.replace(training=self.stored_training.read())
        return self.spec.training

    def replace(self, **changes: Any) -> ModelCard:
        """The same card with other values of some attributes.

        Args:
            changes: attribute -> value; also `training`, for that of the spec.
        """
        if "training" in changes:
            changes["spec"] = changes.get("spec", self.spec).replace(training=changes.pop("training"))
        return super().replace(**changes)

    def trained(
        self, history: Mapping[str, Any], metrics: Mapping[str, Any], data: Mapping[str, str] | None = None
    ) -> ModelCard:
        """The same card after a training: with the figures of its epochs, the final ones, and what the data were."""
        known = {} if data is None else {"data": dict(data)}
        return self.replace(history=dict(history), metrics=dict(metrics), **known)
