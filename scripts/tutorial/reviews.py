"""What a notebook needs of the local GitHub for pull requests: an App, a protected branch, runs that are over."""

import time
from collections.abc import Iterator, Mapping

from tutorial.cloud.services import github_state
from tutorial.errors import TutorialError
from tutorial.github.apps import register
from tutorial.github.hook import LEFT, PATIENCE
from tutorial.github.listing import conclusion_of, tail
from tutorial.github.people import person
from tutorial.github.protection import protect
from tutorial.github.repository import DEFAULT_BRANCH, OWNER
from tutorial.github.runner import is_running
from tutorial.github.store import Row, Store
from tutorial.github.vault import Vault
from tutorial.home import Home

KEY, CLIENT = "APP_PRIVATE_KEY", "APP_CLIENT_ID"
POLL = 0.2  # seconds
# A run that is over may start another, a moment later.
QUIET = 5  # looks in a row that see nothing going on


def make_app(home: Home, name: str, permissions: Mapping[str, str]) -> str:
    """Make a GitHub App, install it, and give its key to the repository; say what was done.

    One that was made before is left as it is, for its key is shown only once.
    """
    state = github_state(home)
    store, vault = Store(state), Vault(state)
    if store.rows("SELECT id FROM apps WHERE name = ?", name) and KEY in vault.secrets():
        return f"The App {name} is there already."
    app = register(store, name, permissions)
    vault.set_secret(KEY, app.private_key)
    vault.set_variable(CLIENT, app.client_id)
    rights = ", ".join(f"{permission}: {level}" for permission, level in permissions.items())
    return (
        f"The App {name} may do this and nothing else: {rights}.\n"
        f"The secret {KEY} and the variable {CLIENT} are kept."
    )


def protect_main(home: Home, checks: tuple[str, ...]) -> str:
    """Let nothing be merged into main but what these jobs passed and one person approved; say so."""
    rule = {
        "required_status_checks": {"strict": False, "contexts": list(checks)},
        "required_pull_request_reviews": {
            "required_approving_review_count": 1,
            "dismiss_stale_reviews": True,
        },
        "enforce_admins": False,
        "restrictions": None,
    }
    protect(Store(github_state(home)), DEFAULT_BRANCH, rule, person(OWNER))
    return f"main takes what passed {', '.join(map(repr, checks))} and what somebody else approved."


def follow_runs(home: Home) -> Iterator[str]:
    """Yield how each run ends that is going on, or that one of them starts, until none is left.

    Of a failed step the last line comes along. Raises `TutorialError` where nobody carries runs out.
    """
    store = Store(github_state(home))
    told = {run["id"] for run in store.runs() if run["status"] == "completed"}
    seen, quiet = time.monotonic(), 0
    while quiet < QUIET:
        runs = store.runs()
        for run in sorted(runs, key=lambda each: float(each["finished"] or 0)):
            if run["status"] == "completed" and run["id"] not in told:
                told.add(run["id"])
                yield from _ended(store, run)
        quiet = quiet + 1 if all(run["status"] == "completed" for run in runs) else 0
        time.sleep(POLL)
        if quiet or is_running(store.state):
            seen = time.monotonic()
        elif time.monotonic() - seen > PATIENCE:
            raise TutorialError(LEFT)


def _ended(store: Store, run: Row) -> Iterator[str]:
    yield conclusion_of(run)
    for job in store.jobs(run["id"]):
        for step in store.steps(job["id"]):
            if step["conclusion"] == "failure":
                last = [line for line in tail(store, run["id"], job["id"], step["number"]) if line]
                said = [line for line in last if not line.startswith("Error: the script ended")]
                yield f"  {job['name']}, {step['name']}: {(said or last or ['failed'])[-1]}"
