"""The processes of a home's local cloud, found without the code that is tested, and ended without mercy."""

import contextlib

import psutil
from waiting import until

from tutorial.cloud import status
from tutorial.home import Home


def processes(home: Home) -> dict[str, psutil.Process]:
    """Return the supervisor and the services of a home that run, by name."""
    modules = {
        "supervisor.supervisord": "supervisord",
        "tutorial.cloud.s3": "s3",
        "tutorial.heroku": "heroku",
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
        running[name].wait()


def all_run(home: Home) -> bool:
    """Tell whether every service answers."""
    return {state.state for state in status(home)} == {"running"}


def kill_and_wait(home: Home, name: str) -> None:
    """SIGKILL a service, and wait until the supervisor has it answer again: 30 s are its time."""
    kill(home, name)
    until(lambda: all_run(home), f"{name} is not back", 30)
