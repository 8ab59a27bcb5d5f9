"""A search whose process is killed by a signal that nothing can catch. Run by test_search.py.

Arguments: the folder, how many processes, and the number of the trial (from 0) at which the process that makes it is
killed, or "never". Prints the outcome of each trial, and why the search ended. In its first trial each process waits
for the others, so that all of them take part.
"""

import os
import signal
import sys
import time
from pathlib import Path

import modnet
from modnet.assessment.search.planned import Asked, Planned
from modnet.engine.build import plan
from modnet.kinds.callback import Callback


class Kill(Callback, type="kill"):
    """Kills the process in the first epoch of a trial."""

    def modnet_epoch_ended(self, run):
        trial = run.joined["search"].trial
        if str(trial.number) == os.environ["KILLED_TRIAL"] and run.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)


class Meet(Callback, type="meet"):
    """Waits until as many processes as there are have begun a trial."""

    def modnet_training_started(self, run):
        place = Path(os.environ["MEETING"])
        (place / str(os.getpid())).touch()
        for _ in range(600):
            if len(list(place.iterdir())) >= int(os.environ["PROCESSES"]):
                return
            time.sleep(0.1)


def register():
    modnet.default_registry().register(Kill)
    modnet.default_registry().register(Meet)


def main(folder, processes, number):
    from .problem import rows, spec

    meeting = Path(f"{folder}-{number}")
    meeting.mkdir()
    os.environ |= {"KILLED_TRIAL": number, "PROCESSES": processes, "MEETING": str(meeting)}
    register()
    made = spec()
    made["training"]["callbacks"] = ["meet", "kill"]
    planned = Planned(plan(made), rows(), modnet.default_registry(), setup=register)
    place = Path(folder)
    found = planned.search(place, Asked(processes=int(processes), resume=place.exists()))
    print(*(trial.outcome.replace(" ", "-") for trial in found.trials), found.stopped or "whole", sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
