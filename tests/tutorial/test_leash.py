"""A command on a leash ends with whoever holds it, however that one ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest
from waiting import until

LEASH = [sys.executable, "-m", "tutorial.leash"]
# Says that it runs, then waits for a signal; with "stubborn" one that it does not heed.
DOG = """
import signal, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("runs", flush=True)
signal.pause()
"""
# Holds a leash and says so, then waits.
HOLDER = """
import signal, subprocess, sys
held = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
signal.pause()
"""
# The leash itself, with less patience than ten seconds.
HASTY = "import tutorial.leash as leash, sys; leash.PATIENCE = 0.5; sys.exit(leash.main())"

Start = Callable[..., psutil.Popen]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process whose pipes are ours, and wait until it, or what it leashes, says that it runs."""
    started: list[psutil.Popen] = []

    def run(*command: str) -> psutil.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(psutil.Popen(command, **pipes))
        assert started[-1].stdout.readline() == "runs\n"
        return started[-1]

    yield run
    for process in started:
        for pipe in (process.stdin, process.stdout):
            pipe.close()
        process.wait(20)


def the_dog(process: psutil.Popen) -> psutil.Process:
    """The process at the end of the leash."""
    return next(p for p in process.children(recursive=True) if DOG in p.cmdline())


@pytest.mark.parametrize("status", [0, 3])
def test_a_command_that_ends_by_itself_gives_its_status(status: int) -> None:
    code = f"raise SystemExit({status})"
    command = [*LEASH, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as leash:
        assert leash.wait(10) == status


def test_the_command_ends_when_the_leash_is_let_go(start: Start) -> None:
    leash = start(*LEASH, sys.executable, "-c", DOG)
    dog = the_dog(leash)
    leash.stdin.close()
    assert leash.wait(10) == 0
    assert not dog.is_running()


def test_the_command_ends_when_its_holder_is_killed(start: Start) -> None:
    holder = start(sys.executable, "-c", HOLDER, *LEASH, sys.executable, "-c", DOG)
    family = holder.children(recursive=True)
    assert len(family) == 2
    os.kill(holder.pid, signal.SIGKILL)
    until(lambda: not any(p.is_running() for p in family), "leash or command is left", 10)


def test_the_command_ends_when_the_leash_is_asked_to_end(start: Start) -> None:
    leash = start(*LEASH, sys.executable, "-c", DOG)
    dog = the_dog(leash)
    leash.terminate()
    leash.wait(10)
    assert not dog.is_running()


def test_a_command_that_does_not_heed_is_killed(start: Start) -> None:
    leash = start(sys.executable, "-c", HASTY, sys.executable, "-c", DOG, "stubborn")
    dog = the_dog(leash)
    leash.stdin.close()
    leash.wait(10)
    assert not dog.is_running()


def test_ctrl_c_is_for_the_holder(start: Start) -> None:
    # Given a leash that gets what Ctrl+C sends
    leash = start(*LEASH, sys.executable, "-c", DOG)
    dog = the_dog(leash)
    leash.send_signal(signal.SIGINT)
    # When it is let go
    leash.stdin.close()
    leash.wait(10)
    # Then it was there still, and ended its command
    assert not dog.is_running()


def test_the_command_gets_nothing_to_read() -> None:
    code = "import sys; raise SystemExit(len(sys.stdin.read()))"
    command = [*LEASH, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as leash:
        assert leash.stdin
        leash.stdin.write(b"not for the command")
        leash.stdin.flush()
        assert leash.wait(10) == 0
