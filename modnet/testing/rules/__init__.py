"""The rules that `modnet.testing.contract` examines, one module or more for a kind.

A module of rules has `RULES`. The first module of a kind also has `Trial`, the argument of the kind's rules. Code that
several modules need is in `allocation`, `dtypes`, `results` and `rounding`, which have no rules.
"""
