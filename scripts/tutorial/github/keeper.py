"""Run a command in this process's group until its end, or until standard input closes: then end the group.

Unlike `tutorial.leash`, it ends what the command has started as well. Run by path: it imports nothing of ours.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

PATIENCE = 1.0  # seconds between asking the group to end and ending it


def main() -> int:
    """Return the command's exit status. This process has to lead its group."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    # A handler, not SIG_IGN: this process survives the first signal to end the second.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    signal.signal(signal.SIGINT, lambda number, frame: None)

    let_go = threading.Event()

    def hold() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        let_go.set()
        os.killpg(0, signal.SIGTERM)
        time.sleep(PATIENCE)
        os.killpg(0, signal.SIGKILL)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    status = child.wait()
    if let_go.is_set():
        holder.join()  # it ends this process with the rest of the group
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
