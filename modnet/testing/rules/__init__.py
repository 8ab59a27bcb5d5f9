"""The rules that `modnet.testing.contract` examines, one module or more for a kind.

A module of rules has `RULES`, and the first of its kind `Trial`: what the rules of the kind are given. What several
modules need, and has no rules, stands in `allocation`, `dtypes`, `results` and `rounding`.
"""
