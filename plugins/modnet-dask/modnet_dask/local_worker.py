"""What a worker of a cluster on this machine does first; dask imports this module in its process."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leaves Ctrl-C, which a terminal sends to all processes of a command, to the one that has begun the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
