"""Run one command of a step in a process group of its own, its output read as it comes."""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from tutorial.github.transcript import Transcript

KEEPER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py"))]
POLL = 0.05  # seconds
DRAIN = 0.5  # seconds to read on when the command has ended and something it started holds the pipe


class Ended(Enum):
    """How a command ended."""

    WELL = "success"
    BADLY = "failure"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"


def run_command(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    transcript: Transcript,
    deadline: float,
    is_cancelled: Callable[[], bool],
) -> tuple[Ended, int]:
    """Return how the command ended, and its exit status.

    It has nothing to read. At `deadline` (monotonic seconds), or once `is_cancelled`, its whole group
    is ended. What it leaves running otherwise goes on, until the job's end.
    """
    process = subprocess.Popen(
        [*KEEPER, *command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:  # they were asked for
        raise RuntimeError("a process without its pipes")
    how = Ended.WELL
    try:
        with selectors.DefaultSelector() as selector:
            os.set_blocking(process.stdout.fileno(), False)
            selector.register(process.stdout, selectors.EVENT_READ)
            ended_at: float | None = None
            while True:
                if selector.get_map() and selector.select(POLL):
                    data = os.read(process.stdout.fileno(), 65_536)
                    if data:
                        transcript.feed(data)
                    else:
                        selector.unregister(process.stdout)
                elif ended_at is not None:
                    break
                elif not selector.get_map():
                    time.sleep(0.005)
                now = time.monotonic()
                if process.poll() is not None:
                    ended_at = ended_at or now
                    if not selector.get_map() or now - ended_at > DRAIN:
                        break
                elif how is Ended.WELL and (now > deadline or is_cancelled()):
                    how = Ended.CANCELLED if is_cancelled() else Ended.TIMED_OUT
                    process.stdin.close()  # the keeper ends the group
    finally:
        process.stdin.close()
        process.stdout.close()
        status = process.wait()
    if how is Ended.WELL and status:
        how = Ended.BADLY
    return how, status
