"""A server in a process of its own, as people run it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading


class Process:
    """`modnet serve` with these arguments, at a free port.

    Attributes:
        address: where it listens, `http://127.0.0.1:PORT`.
        lines: what it has printed so far.
    """

    def __init__(self, *arguments, **environment):
        command = [sys.executable, "-m", "modnet", "serve", "--port", "0", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **environment},
        )
        self.lines, self.address = [], ""
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.match(r"listening at (\S+):(\d+):", line):
                self.port = int(found[2])
                self.address = f"{found[1]}:{self.port}"
                break
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self._reader.start()

    def end(self, number=signal.SIGTERM, seconds=20):
        """Sends a signal, waits, and gives the exit status."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=20):
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.wait()
        self.process.stdout.close()
