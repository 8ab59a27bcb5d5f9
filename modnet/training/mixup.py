"""Mixup: training on mixtures of samples."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.training.members import in_folds
from modnet.training.objective import are_labels
from modnet.training.run import Run
from modnet.words import show


class Mixup(Callback, type="mixup"):
    """Mixes the samples of each batch in pairs: x = m * x_i + (1 - m) * x_j, and the targets in the same way.

    m is drawn from Beta(alpha, alpha), once for each batch, and each sample's partner by a permutation of the batch.
    Labels become rows of probabilities. Validation data are not mixed; training metrics compare with the mixed targets.
    A sample keeps its own weight.

    Fields:
        alpha: for small values most samples change little; for 1.0 all mixtures are equally likely.

    Raises:
        TrainingError: an input has whole numbers (the ids of an `embedding`), or a layer makes masks, because padded
            steps would be mixed with others.

    Source: Zhang et al. 2018, "mixup: Beyond empirical risk minimization", arXiv:1710.09412, algorithm 1.
    """

    alpha: float = field(default=0.2, above=0.0)

    def modnet_training_started(self, run: Run) -> None:
        network = run.network
        for name, dtype in zip(network.inputs, network.input_dtypes(), strict=True):
            if dtype.kind != "f":
                raise TrainingError(f"mixup needs inputs that can be mixed; input {show(name)} takes whole numbers")
        if in_folds(run.batches):
            raise TrainingError(
                "mixup would mix rows that a member is validated with into those that it learns from; leave out "
                "member_folds, and give a share for validation"
            )
        if run.objective.masked:
            raise TrainingError("mixup would mix padded steps with others; this network has a layer that makes masks")

    def modnet_batch(
        self, run: Run, inputs: list[Array], targets: dict[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        share = float(run.noise.beta(self.alpha, self.alpha))
        partner = run.noise.permutation(len(inputs[0]))
        dtype = run.network.dtype

        def mixed(array: Array) -> Array:
            numbers = array.astype(dtype, copy=False)
            found: Array = share * numbers + (1.0 - share) * numbers[partner]
            return found

        losses = {head.name: head.loss for head in run.objective.heads}
        mixed_targets = {}
        for name, target in targets.items():
            shape = run.network.outputs[name]
            if are_labels(losses[name], target, len(shape)):
                target = np.eye(shape[-1] or 0, dtype=dtype)[target.astype(np.intp)]
            mixed_targets[name] = mixed(target)
        return [mixed(array) for array in inputs], mixed_targets
