"""The processes of a home's local cloud, found without the code that is tested, and ended without mercy."""

import contextlib
import functools

import psutil
from waiting import until

from tutorial.cloud import down, status
from tutorial.home import Home


def processes(home: Home) -> dict[str, psutil.Process]:
    """Return the supervisor and the services of a home that run, by name."""
    modules = {
        "supervisor.supervisord": "supervisord",
        "tutorial.cloud.s3": "s3",
        "tutorial.heroku": "heroku",
        "tutorial.github.rest": "github",
        "tutorial.github.runner": "runner",
    }
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("TUTORIAL_SERVICE") == str(home.root):
                for word in process.cmdline():
                    if word in modules and process.status() != psutil.STATUS_ZOMBIE:
                        found[modules[word]] = process
    return found


def kill(home: Home, *names: str) -> None:
    """SIGKILL these processes."""
    running = processes(home)
    for name in names:
        running[name].kill()
    for name in names:
        until(functools.partial(is_over, running[name]), f"{name} does not end")


def is_over(process: psutil.Process) -> bool:
    """Tell whether a process has ended, whether or not somebody asked how."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def all_run(home: Home) -> bool:
    """Tell whether every service answers."""
    return {state.state for state in status(home)} == {"running"}


def kill_and_wait(home: Home, name: str) -> None:
    """SIGKILL a service, and wait until the supervisor has it answer again: 30 s are its time."""
    kill(home, name)
    until(lambda: all_run(home), f"{name} is not back", 30)


def end(home: Home) -> None:
    """Take down the cloud of a test that is over: there is nothing to keep, and good order takes a second."""
    kill(home, *processes(home))
    down(home)
