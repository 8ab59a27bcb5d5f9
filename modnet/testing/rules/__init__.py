"""The rules that `modnet.testing.contract` examines, a module for each kind of component.

Each has `Trial`, what the rules of the kind are given, and `RULES`.
"""
