"""Signals reach the loop also where the loop has no handlers of its own, as on Windows."""

import signal

import pytest
from modnet_serve.running import _listen_to_signals


class Loop:
    """As asyncio's loop on Windows."""

    def add_signal_handler(self, number, action):
        raise NotImplementedError

    def call_soon_threadsafe(self, action):
        action()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_loop_without_handlers(name, monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    numbers = [signal.SIGTERM, signal.SIGINT]
    before = [signal.getsignal(number) for number in numbers]
    ended, looked = [], []
    try:
        _listen_to_signals(Loop(), lambda: ended.append(name), lambda: looked.append(name))
        signal.raise_signal(getattr(signal, name))
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert ended == [name]
    assert looked == []
