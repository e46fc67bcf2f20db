"""The processes of a home's services, whoever is their parent by now."""

import contextlib
import os
import time

import psutil

from tutorial.cloud.services import MARK
from tutorial.home import Home

REAPING = 10  # seconds that what a killed supervisor left has to end by itself


def ports(process: psutil.Process) -> set[int]:
    """Return the TCP ports at which a process listens."""
    listening = (c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
    return {c.laddr.port for c in listening}


def marked(home: Home) -> list[psutil.Process]:
    """Return the processes of this home's services, whoever is their parent by now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home.root):
                found.append(process)
    return found


def reap(home: Home) -> None:
    """End what a supervisor that was killed left behind."""
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = marked(home)
        for process in left:
            with contextlib.suppress(psutil.Error):
                end(process)
        if ended(left, REAPING):
            return


def ended(processes: list[psutil.Process], seconds: float) -> bool:
    """Wait so long for processes to end, and tell whether they did.

    One of which nobody asks how it ended has ended: its parent may be a notebook that is busy.
    """
    deadline = time.monotonic() + seconds
    while any(_runs(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def is_ours(home: Home, port: int) -> bool:
    """Tell whether a process of this home's services listens at the port."""
    for process in marked(home):
        with contextlib.suppress(psutil.Error):
            if port in ports(process):
                return True
    return False
