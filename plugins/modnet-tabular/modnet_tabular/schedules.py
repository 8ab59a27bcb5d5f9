"""The schedules of RealMLP."""

from __future__ import annotations

import math

from modnet.kinds.schedule import Progress, Schedule
from modnet.schedules import half_cosine


class CosLog4(Schedule, type="coslog4"):
    """Four cycles, each twice as long as the one before: (1 - cos(2 pi log2(1 + 15 t))) / 2.

    t goes from 0 to 1 over the run. A cycle begins and ends at 0 and is 1 between: after each of them there are good
    weights for `early_stopping` to choose.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.3.
    """

    def factor(self, progress: Progress) -> float:
        done = min(1.0, progress.epoch / progress.epochs)
        return (1 - math.cos(2 * math.pi * math.log2(1 + 15 * done))) / 2


class FlatCosine(Schedule, type="flat_cosine"):
    """1 over the first half of the run, then half a cosine down to 0.

    For the rate of dropout and for `weight_decay_schedule`. Source: Holzmüller, Grinsztajn and Steinwart 2024,
    arXiv:2407.04491, section 3.3.
    """

    def factor(self, progress: Progress) -> float:
        done = min(1.0, progress.epoch / progress.epochs)
        return half_cosine(1.0, 0.0, max(0.0, 2 * done - 1))
