"""The core's own components, in the same form as the entry points of a plugin."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

CORE = "modnet-core"


BUILTIN = {
    "modnet.layers": {
        "add": "modnet.layers.merge:Add",
        "batch_norm": "modnet.layers.norm:BatchNorm",
        "concatenate": "modnet.layers.merge:Concatenate",
        "dropout": "modnet.layers.noise:Dropout",
        "embedding": "modnet.layers.embedding:Embedding",
        "ensemble_mean": "modnet.layers.members:EnsembleMean",
        "flatten": "modnet.layers.shape:Flatten",
        "gaussian_noise": "modnet.layers.noise:GaussianNoise",
        "global_average_pool": "modnet.layers.pooling:GlobalAveragePool",
        "layer_norm": "modnet.layers.norm:LayerNorm",
        "linear": "modnet.layers.linear:Linear",
        "multiply": "modnet.layers.merge:Multiply",
        "per_member": "modnet.layers.members:PerMember",
        "piecewise_encoding": "modnet.layers.piecewise:PiecewiseEncoding",
        "repeat": "modnet.layers.composite:Repeat",
        "reshape": "modnet.layers.shape:Reshape",
        "residual": "modnet.layers.composite:Residual",
        "rms_norm": "modnet.layers.norm:RMSNorm",
        "slice": "modnet.layers.shape:Slice",
        "standardize": "modnet.layers.standardize:Standardize",
        "temperature": "modnet.layers.temperature:Temperature",
        "unstandardize": "modnet.layers.standardize:Unstandardize",
    },
    "modnet.activations": {
        "elu": "modnet.activations.rectified:ELU",
        "gelu": "modnet.activations.gated:GELU",
        "hard_sigmoid": "modnet.activations.rectified:HardSigmoid",
        "hard_swish": "modnet.activations.rectified:HardSwish",
        "identity": "modnet.activations.rectified:Identity",
        "leaky_relu": "modnet.activations.rectified:LeakyReLU",
        "log_softmax": "modnet.activations.softmax:LogSoftmax",
        "mish": "modnet.activations.gated:Mish",
        "prelu": "modnet.activations.rectified:PReLU",
        "relu": "modnet.activations.rectified:ReLU",
        "selu": "modnet.activations.rectified:SELU",
        "sigmoid": "modnet.activations.sigmoid:Sigmoid",
        "silu": "modnet.activations.gated:SiLU",
        "softmax": "modnet.activations.softmax:Softmax",
        "softplus": "modnet.activations.sigmoid:Softplus",
        "tanh": "modnet.activations.sigmoid:Tanh",
    },
    "modnet.losses": {
        "binary_cross_entropy": "modnet.losses.elementwise:BinaryCrossEntropy",
        "binary_focal": "modnet.losses.focal:BinaryFocal",
        "cosine": "modnet.losses.last_axis:Cosine",
        "cross_entropy": "modnet.losses.classes:CrossEntropy",
        "focal": "modnet.losses.focal:Focal",
        "hinge": "modnet.losses.elementwise:Hinge",
        "huber": "modnet.losses.elementwise:Huber",
        "kl_divergence": "modnet.losses.classes:KLDivergence",
        "mae": "modnet.losses.elementwise:MeanAbsoluteError",
        "mse": "modnet.losses.elementwise:MeanSquaredError",
        "poisson": "modnet.losses.elementwise:Poisson",
        "quantile": "modnet.losses.quantile:Quantile",
    },
    "modnet.optimizers": {
        "adagrad": "modnet.optimizers.adaptive:AdaGrad",
        "adam": "modnet.optimizers.adaptive:Adam",
        "adamw": "modnet.optimizers.adaptive:AdamW",
        "lamb": "modnet.optimizers.matrices:LAMB",
        "lion": "modnet.optimizers.gradient:Lion",
        "muon": "modnet.optimizers.matrices:Muon",
        "nadam": "modnet.optimizers.adaptive:NAdam",
        "rmsprop": "modnet.optimizers.adaptive:RMSProp",
        "sgd": "modnet.optimizers.gradient:SGD",
    },
    "modnet.initializers": {
        "constant": "modnet.initializers:Constant",
        "glorot_normal": "modnet.initializers:GlorotNormal",
        "glorot_uniform": "modnet.initializers:GlorotUniform",
        "he_normal": "modnet.initializers:HeNormal",
        "he_uniform": "modnet.initializers:HeUniform",
        "lecun_normal": "modnet.initializers:LecunNormal",
        "lecun_uniform": "modnet.initializers:LecunUniform",
        "normal": "modnet.initializers:Normal",
        "ones": "modnet.initializers:Ones",
        "orthogonal": "modnet.initializers:Orthogonal",
        "truncated_normal": "modnet.initializers:TruncatedNormal",
        "uniform": "modnet.initializers:Uniform",
        "zeros": "modnet.initializers:Zeros",
    },
    "modnet.schedules": {
        "constant": "modnet.schedules:Constant",
        "cosine": "modnet.schedules:Cosine",
        "exponential": "modnet.schedules:Exponential",
        "linear": "modnet.schedules:Linear",
        "one_cycle": "modnet.schedules:OneCycle",
        "plateau": "modnet.schedules:Plateau",
        "step": "modnet.schedules:Step",
    },
    "modnet.metrics": {
        "accuracy": "modnet.metrics.classes:Accuracy",
        "auc": "modnet.metrics.probabilities:AUC",
        "average_precision": "modnet.metrics.probabilities:AveragePrecision",
        "balanced_accuracy": "modnet.metrics.classes:BalancedAccuracy",
        "calibration_error": "modnet.metrics.probabilities:CalibrationError",
        "confusion_matrix": "modnet.metrics.classes:ConfusionMatrix",
        "f1": "modnet.metrics.classes:F1",
        "log_loss": "modnet.metrics.probabilities:LogLoss",
        "matthews_correlation": "modnet.metrics.classes:MatthewsCorrelation",
        "mean_absolute_error": "modnet.metrics.numbers:MeanAbsoluteError",
        "precision": "modnet.metrics.classes:Precision",
        "r2": "modnet.metrics.numbers:R2",
        "recall": "modnet.metrics.classes:Recall",
        "root_mean_squared_error": "modnet.metrics.numbers:RootMeanSquaredError",
        "top_k_accuracy": "modnet.metrics.classes:TopKAccuracy",
    },
    "modnet.callbacks": {
        "checkpoint": "modnet.training.checkpointing:Checkpoint",
        "csv_log": "modnet.training.callbacks:CSVLog",
        "early_stopping": "modnet.training.stopping:EarlyStopping",
        "ema": "modnet.training.averaging:ExponentialAverage",
        "history": "modnet.training.callbacks:RecordHistory",
        "json_log": "modnet.training.callbacks:JSONLog",
        "mixup": "modnet.training.mixup:Mixup",
        "progress": "modnet.training.progress:ProgressDisplay",
    },
}
"""The core's own components, in the same form as the entry points of a plugin.

Not real entry points: reading package metadata takes a tenth of the time of a process that loads a model and predicts.
"""


def lazily(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package of components: imports each module when one of its names is first used.

    A process that loads a model with two kinds of layers imports only those.
    """
    modules = {cls: module for module, cls in (value.split(":") for value in BUILTIN[package].values())}

    def attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return attribute
