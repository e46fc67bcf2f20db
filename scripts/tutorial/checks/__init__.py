"""Does what a milestone built hold? Each item probes the real thing and carries a hint for when it does not."""

from collections.abc import Iterator
from contextlib import contextmanager

from tutorial.checks import (
    continuous_deployment,
    deploy,
    instrumented_training,
    pull_requests,
    s3,
    tracking_server,
    zero_ops,
)
from tutorial.checks.items import Item, Probe, Result
from tutorial.deployed import live_app
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import RunningApp, app_to_ask

CHECKS: dict[int, list[Item]] = {
    0: zero_ops.ITEMS,
    1: deploy.ITEMS,
    2: s3.ITEMS,
    3: continuous_deployment.ITEMS,
    4: tracking_server.ITEMS,
    5: instrumented_training.ITEMS,
    6: pull_requests.ITEMS,
}


def run_checks(milestone: int, home: Home) -> list[Result]:
    """Probe every item of a milestone. Raises `TutorialError` only where there is no app to ask."""
    results = []
    with _app_of(milestone, home) as app:
        probe = Probe(home, app)
        for item in CHECKS[milestone]:
            try:
                results.append(Result(item.claim, True, item.probe(probe), item.hint))
            except TutorialError as error:
                results.append(Result(item.claim, False, str(error), item.hint))
    return results


@contextmanager
def _app_of(milestone: int, home: Home) -> Iterator[RunningApp]:
    """Give the app that a milestone is about: a person's own at first, then the deployed one."""
    if milestone == 0:
        with app_to_ask(home) as app:
            yield app
    else:
        yield live_app(home)


__all__ = ["CHECKS", "Item", "Probe", "Result", "run_checks"]
