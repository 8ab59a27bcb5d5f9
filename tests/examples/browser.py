"""A browser like Chromium, without a window, by its DevTools protocol; and a server for it on this machine alone."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)

AS_3_AND_4 = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])  # out of the way of 3 and 4
os.dup2(read, 3)
os.dup2(write, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Where the browser expects its pipes."""

PATIENCE = 60
"""Seconds until a browser that does not answer has failed."""


def find():
    """The program of a browser, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Server:
    """Serves a folder at `address` while it is used as a context manager."""

    def __init__(self, folder):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Browser:
    """A browser with one page, while it is used as a context manager.

    Attributes:
        events: what the page has done, as the protocol tells it.
    """

    def __init__(self, program, folder):
        theirs, self.out = os.pipe()
        self.incoming, ours = os.pipe()
        wrapped = [sys.executable, "-c", AS_3_AND_4, str(theirs), str(ours)]
        command = [*wrapped, program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
        silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        self.process = subprocess.Popen(command, pass_fds=(theirs, ours), **silent)
        os.close(theirs)
        os.close(ours)
        self.events, self.buffer, self.count, self.session = [], b"", 0, None

    def __enter__(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        os.close(self.out)
        os.close(self.incoming)

    def send(self, method, **parameters):
        """What the browser answers to a command of the protocol."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def receive(self):
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.incoming], [], [], max(0, deadline - time.monotonic()))
            read = os.read(self.incoming, 1 << 20) if ready else b""
            assert read, "the browser does not answer"
            self.buffer += read
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def evaluate(self, expression):
        """The value of an expression of JavaScript in the page, when its promise is fulfilled."""
        found = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, address, until):
        """Opens a page, and waits until an expression is true."""
        self.send("Page.navigate", url=address)
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(until):
            assert time.monotonic() < deadline, f"{until} does not become true"
            time.sleep(0.02)

    def complaints(self):
        """Errors and warnings that the page has caused."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event for event in self.events if event.get("method") in kinds]

    def picture(self):
        """The page as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])
