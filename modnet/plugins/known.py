"""Which plugin of this repository offers a component or a command, for the message of one that is not installed."""

from __future__ import annotations

OFFERED = {
    "modnet-attention": (
        "feed_forward multi_head_attention positional_embedding rotary_embedding sinusoidal_embedding transformer_block"
    ),
    "modnet-conv": (
        "average_pool1d average_pool2d conv1d conv2d conv3d conv_transpose2d depthwise_conv2d global_max_pool "
        "max_pool1d max_pool2d random_crop random_flip random_shift separable_conv2d upsample2d zero_pad2d"
    ),
    "modnet-mlflow": "mlflow",
    "modnet-mpi": "mpi",
    "modnet-recurrent": "bidirectional gru lstm masking rnn",
    "modnet-tabular": (
        "batch_ensemble category_embedding clip_to_target coslog4 flat_cosine mlp_ple ntk_linear parametric pbld "
        "piecewise_linear plr quantile_transform random_signs realmlp robust_scale scale smooth_clip tabm"
    ),
    "modnet-tensorboard": "tensorboard",
    "modnet-text": "vocabulary",
}
"""Distribution -> the type names of its components; without what only converted networks consist of (modnet-onnx)."""


OFFERED_COMMANDS = {"import-weights": "modnet-torch", "sample": "modnet-text", "serve": "modnet-serve"}
"""Command -> the distribution that has it."""


def distribution_of(name: str) -> str | None:
    """The distribution of a component of this name, or None."""
    return next((distribution for distribution, names in OFFERED.items() if name in names.split()), None)
