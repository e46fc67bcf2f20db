"""Take a home's local cloud down when what used it ends, however it is told to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tutorial import cloud
from tutorial.home import Home

# What ends a process at once, by itself: a kill, a terminal that is closed.
DEADLY = (signal.SIGTERM, signal.SIGHUP)
ENDINGS = (signal.SIGINT, *DEADLY)


@contextmanager
def cloud_taken_down(home: Home) -> Iterator[None]:
    """Take the cloud down when the block ends: after an error, Ctrl+C, SIGTERM or SIGHUP too.

    The latter two raise `SystemExit` in the block. Once it goes down, nothing stops that but SIGKILL.
    Only for the main thread.
    """
    former = {number: signal.getsignal(number) for number in ENDINGS}
    try:
        for number in DEADLY:
            # `nohup` has a program ignore that its terminal is closed: so it stays.
            if former[number] != signal.SIG_IGN:
                signal.signal(number, _end)
        yield
    finally:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        try:
            cloud.down(home)
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
