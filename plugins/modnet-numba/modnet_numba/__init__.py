"""Compiled kernels for modnet, offered through the entry-point group `modnet.kernels`.

Each module has loops, compiled by numba when they are first called and kept on disk, and makers, which fit a loop to a
component's configuration. The numpy code in modnet is the reference: a kernel does the same, to rounding.

The loops run in one thread. Two would fight with those of the matrix products, which go on spinning for a while after
a product: a step of the optimizer in between then takes many times as long.
"""
