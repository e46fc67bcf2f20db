"""Which processes a test has left behind."""

import psutil


def descendants(process: psutil.Process) -> set[psutil.Process]:
    """The processes that this one has started, or those have, and that have not ended."""
    return {p for p in process.children(recursive=True) if p.is_running() and not is_zombie(p)}


def is_zombie(process: psutil.Process) -> bool:
    """Tell whether a process has ended, and its parent has not asked how."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def left_since(before: set[psutil.Process]) -> set[psutil.Process]:
    """The processes that came since `before` and are no business of one that was there already.

    A browser or a server of the whole session may start helpers of its own at any time.
    """
    theirs = {child for p in before if p.is_running() for child in descendants(p)}
    return descendants(psutil.Process()) - before - theirs
