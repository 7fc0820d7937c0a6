"""SIGINT, SIGTERM and SIGHUP as an event: whoever waits for it ends what it started, in its own order."""

import asyncio
import signal


def stop_on_signals(stop: asyncio.Event) -> None:
    """Sets `stop` on the first of them; a second one ends the process at once, whatever it is in the middle of."""
    loop = asyncio.get_running_loop()

    def stopping(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)  # else a KeyboardInterrupt comes up anywhere, and may be lost there

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping, number)
