"""What the repository does before a push: refuse what the rule of a branch does not let pass."""

import argparse
import os
import sys
from pathlib import Path

from tutorial.github.checks import conclusions
from tutorial.github.events import RefChange
from tutorial.github.people import JOBS, Actor, person
from tutorial.github.protection import WELL, passes_by, rule_of
from tutorial.github.repository import NOTHING, OWNER
from tutorial.github.site import TRACKING, tracking_prefix
from tutorial.github.store import Store


def why_refused(store: Store, change: RefChange, actor: Actor) -> str | None:
    """Return why a push may not move a branch, in GitHub's words; None where it may."""
    rule = rule_of(store, change.branch) if change.branch else None
    if rule is None or passes_by(rule, actor):
        return None
    if change.after == NOTHING:
        return "Cannot delete this protected branch."
    if rule.get("reviews"):
        return "Changes must be made through a pull request."
    concluded = conclusions(store, change.after)
    for name in rule.get("checks", {}).get("names", ()):
        said = concluded.get(name)
        if said is None or not all(one in WELL for one in said):
            return f'Required status check "{name}" is expected.'
    return None


def main() -> int:
    """Return 1 where one of the branches may not be moved: then none is."""
    parser = argparse.ArgumentParser(description="The pre-receive hook of the local GitHub.")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its state")
    state: Path = parser.parse_args().state
    by_a_job = os.environ.get(TRACKING, "").startswith(tracking_prefix(state))
    actor = Actor(JOBS) if by_a_job else person(OWNER)
    store = Store(state)
    for line in sys.stdin.read().splitlines():
        change = RefChange(*line.split())
        if reason := why_refused(store, change, actor):
            print(f"error: GH006: Protected branch update failed for {change.ref}.\n{reason}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
