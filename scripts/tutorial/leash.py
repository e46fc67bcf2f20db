"""`python -m tutorial.leash COMMAND...` runs a command until its own standard input closes.

Whoever starts it holds the other end: when that process ends, however it ends, the command is stopped.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

PATIENCE = 10  # seconds between asking a process to end and ending it


def main() -> int:
    """Run the command; return its exit status, or 0 if it was stopped because the leash was let go."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is for who holds the leash
    signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())

    let_go = threading.Event()

    def hold() -> None:
        # Not sys.stdin: its lock, held by this thread, would break the end of the interpreter.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        let_go.set()
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=hold, daemon=True).start()
    status = child.wait()
    if let_go.is_set() and os.getpgrp() == os.getpid():
        os.killpg(
            0, signal.SIGKILL
        )  # what the command started: it and the leash have a group to themselves
    return 0 if let_go.is_set() else status


if __name__ == "__main__":
    sys.exit(main())
