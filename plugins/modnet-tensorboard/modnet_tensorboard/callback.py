"""The callback `tensorboard`."""

from __future__ import annotations

from pathlib import Path

import modnet
from modnet import Callback, field


class TensorBoard(Callback, type="tensorboard"):
    """Writes a run for TensorBoard, which `tensorboard --logdir runs` shows.

    Every epoch it writes the figures (`loss/training`, `loss/validation`), the learning rate and the seconds; and, as
    often as `histograms` says, histograms of all parameters and of the gradients of the epoch's last step. At the
    beginning it writes the graph, and the hyper-parameters: those of the training, and how large the network is.

    Fields:
        directory: where the runs are, each in its own folder, run_1, run_2 and so on; relative to the working
            directory, a ~ at its beginning is the home folder. A run that resumes from a checkpoint continues in its
            folder.
        histograms: after how many epochs there are histograms; 0 for none.
    """

    of_one_run = True

    directory: str = "runs"
    histograms: int = field(default=1, minimum=0)

    def join(self, run: modnet.Run) -> object:
        # Only now: tensorboardX takes seconds to import, and whoever lists components should not wait for it.
        from modnet_tensorboard.log import Histograms, Log

        folder = Path(self.directory).expanduser()
        return Histograms(folder, run, self.histograms) if self.histograms else Log(folder)
