"""The hook for `modnet train` if mpirun has started it in several processes."""

from __future__ import annotations

import modnet
from modnet_mpi.callback import Mpi


@modnet.hookimpl
def modnet_shared_training() -> modnet.Callback:
    return Mpi()
