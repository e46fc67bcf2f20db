"""What a notebook calls: begin a milestone, get files, run the app, check, audit, commit.

`from tutorial import lab` in a notebook; nothing here imports the reader's `app`.
"""

import atexit
import html
import importlib
import os
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, cast

from IPython.core.getipython import get_ipython
from IPython.core.magics.osm import OSMagics
from IPython.display import HTML, Image, Markdown, display

from tutorial import cloud, data_exercises
from tutorial.audit import Answer
from tutorial.audit import audit as ask_audit
from tutorial.aws_rehearsal import rehearsed_aws as aws_in_memory
from tutorial.checks import Result, run_checks
from tutorial.cloud.services import github_state
from tutorial.deployed import live_app
from tutorial.errors import TutorialError
from tutorial.exercises import EXERCISES, LEAKY_WORKFLOW
from tutorial.github.page import pull_page
from tutorial.github.repository import prepare
from tutorial.github.vault import Vault
from tutorial.given import files_below, files_like, give_file, key_lines
from tutorial.home import Home
from tutorial.milestones import milestone as milestone_of
from tutorial.reviews import follow_runs, make_app
from tutorial.reviews import protect_main as protected
from tutorial.screenshot import NoBrowserError, take_page, take_screenshot
from tutorial.serving import RunningApp, running_app, start_app
from tutorial.tracking.installation import install as install_tracking
from tutorial.tracking.record import root_of
from tutorial.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

FIRST_WITH_CLOUD = 1
# What MLflow's clients print of their own holds names and addresses that change from run to run.
QUIET = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
FIRST_WITH_GITHUB = 3
BREAKS = 'style="overflow-wrap: anywhere"'  # a digest is a word of 64 letters
home = Home.current()
_begun: int | None = None


def begin(number: int) -> None:
    """Get the workspace ready for a milestone and make it the working folder.

    Work that is not committed is kept on a branch `yours/<time>`. If an earlier milestone was never
    finished here, its notebook is executed first. From milestone 1 on the local cloud is brought up.
    """
    global _begun
    title = milestone_of(number).title
    workspace = _enter_workspace(range(number))
    if number >= FIRST_WITH_CLOUD:
        _enter_cloud()
    if number >= FIRST_WITH_GITHUB:
        workspace.set_origin(prepare(github_state(home)).url)
    _begun = number
    print(f"Milestone {number}: {title}. You are in workspace/.")


def visit(number: int) -> None:
    """Make the workspace the working folder for a chapter that builds nothing.

    It is as you left it, at the end of milestone `number` or later; if that was never finished here,
    it is caught up with as `begin` does. From milestone 1 on the local cloud is brought up.
    """
    milestone_of(number)
    _enter_workspace(range(number + 1))
    if number >= FIRST_WITH_CLOUD:
        _enter_cloud()
    print(
        f"You are in workspace/, with what milestone {number} built. This chapter builds nothing."
    )


def _enter_workspace(needed: range) -> Workspace:
    """Get the workspace ready, with these milestones finished, and go there."""
    _ask_for_plain_text()
    workspace = Workspace(home.workspace)
    workspace.prepare()
    kept = workspace.keep_uncommitted_work()
    if kept:
        print(f"Your uncommitted work is safe on the branch {kept}.")
    behind = [n for n in needed if not workspace.tagged(n)]
    if behind:
        print(f"Milestone {behind[0]} comes first: catching up.")
        _catch_up(workspace, behind)
    os.chdir(home.workspace)
    if str(home.workspace) not in sys.path:  # `import app` means the reader's
        sys.path.insert(0, str(home.workspace))
    os.environ.update(home.environment())
    # `!python` means the Python of this kernel, whether its environment was activated or not.
    tools = str(Path(sys.executable).parent)
    if os.environ["PATH"].split(os.pathsep)[0] != tools:
        os.environ["PATH"] = os.pathsep.join([tools, os.environ["PATH"]])
    _guard_cells()
    return workspace


def _ask_for_plain_text() -> None:
    """Keep commands from printing colours and cursor movements, which would stand here as codes."""
    for wish in ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):  # a kernel asks for colours
        os.environ.pop(wish, None)
    os.environ |= {"NO_COLOR": "1", "TERM": "dumb"} | QUIET
    with warnings.catch_warnings():
        # At its first import in a notebook it warns that there are no widgets; once is here.
        warnings.simplefilter("ignore")
        importlib.import_module("tqdm.auto")


def _catch_up(workspace: Workspace, behind: list[int]) -> None:
    tagged = [n for n in range(behind[0]) if workspace.tagged(n)]
    root = workspace.git("rev-list", "--max-parents=0", "HEAD").splitlines()[-1]
    workspace.go_back_to(f"milestone-{tagged[-1]}" if tagged else root)
    command = [sys.executable, "-m", "tutorial", "run", *map(str, behind)]
    process = subprocess.Popen(
        command,
        env=home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in process.stdout or ():
        lines.append(line.rstrip())
        print(lines[-1])
    if process.wait():
        raise TutorialError(lines[-1] if lines else "Catching up failed: try `tutorial doctor`.")


def _enter_cloud() -> None:
    """Bring the local cloud up, and let this kernel's tools know where it is and by which keys."""
    for service in cloud.up(home, say=lambda line: None):
        print(f"{service.name} is {service.state} {service.url}".rstrip())
    os.environ.update(cloud.environment(home))


def _guard_cells() -> None:
    """Let %%writefile write in the workspace alone, and let a `!command` that fails fail its cell."""
    shell = get_ipython()
    if shell is None:
        return
    shell.system_raise_on_error = True
    original = OSMagics(shell).writefile

    def writefile(line: str, cell: str) -> None:
        # As IPython reads it: the name may be quoted, and begin with ~.
        words = shlex.split(line) or ["."]
        target = Path(words[-1]).expanduser().resolve()
        if not target.is_relative_to(home.workspace.resolve()):
            raise TutorialError(
                "That cell would write outside the workspace: run lab.begin() again, then the cell."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        original(line, cell)

    # Its decorator hides the true signature from type checkers.
    cast(Any, shell).register_magic_function(writefile, "cell", "writefile")


def give(*paths: str, show: str | None = None) -> None:
    """Copy files that are needed but are not the lesson into the workspace.

    A folder ends with a slash; a star in a file's name stands for any letters.

    `show` names a function or class of the last file: its lines are displayed.
    """
    _require_begun()
    for path in paths:
        if path.endswith("/") or "*" in path:
            names = files_like(path) if "*" in path else files_below(path)
            lines = sum(give_file(name, home) for name in names)
            print(f"{lines:>5} lines  {path} ({len(names)} files)")
            continue
        lines = give_file(path, home)
        print(f"{lines:>5} lines  {path}")
    if show:
        text = key_lines((home.workspace / paths[-1]).read_text(encoding="utf-8"), show)
        display(Markdown(f"```python\n{text}\n```"))


def serve() -> RunningApp:
    """Start the workspace's app, as you would by hand, and return when it answers.

    An app that runs already is stopped first. It ends with this notebook's kernel.
    """
    _require_begun()
    for app in list(_served):
        app.stop()
        _served.remove(app)
    app = start_app(home)
    _served.append(app)
    atexit.register(app.stop)
    print(f"The app answers at {app.url} (and nowhere else than on this machine).")
    return app


_served: list[RunningApp] = []


def live() -> RunningApp:
    """Return the deployed app, at its public address on the platform."""
    return live_app(home)


def keep_profile(profile: str, access_key: dict[str, Any]) -> None:
    """Keep what IAM's `create_access_key` returned where AWS's tools look for it; print its id alone."""
    cloud.keep_profile(
        home, profile, str(access_key["AccessKeyId"]), str(access_key["SecretAccessKey"])
    )
    print(f"The keys of {profile} are kept as AWS_PROFILE={profile}.")


def secret(name: str, value: str) -> None:
    """Give the repository a secret, as `gh secret set NAME` does on GitHub; it is not printed."""
    Vault(github_state(home)).set_secret(name, value)
    print(f"The secret {name} is kept: workflows get it, logs show ***.")


def variable(name: str, value: str) -> None:
    """Give the repository a variable, as `gh variable set NAME` does on GitHub."""
    Vault(github_state(home)).set_variable(name, value)
    print(f"The variable {name} is {value}.")


def github_app(name: str, **permissions: str) -> None:
    """Make a GitHub App with these permissions and no other, and keep its key as a secret."""
    print(make_app(home, name, permissions))


def protect_main(*checks: str) -> None:
    """Let nothing be merged into main but what these jobs passed and somebody approved."""
    print(protected(home, checks))


def runs() -> None:
    """Wait until every run of a workflow that is going on has ended, and say how."""
    for line in follow_runs(home):
        print(line)


def pull_request(number: int) -> None:
    """Show the page of a pull request."""
    display(HTML(pull_page(github_state(home), number)))


@dataclass(frozen=True)
class TrackingServer:
    """The tracking server of this laptop; `root` is to it what / is to one with a machine of its own."""

    url: str
    root: Path

    def kill(self, service: str) -> None:
        """Kill the process of "mlflow" or "nginx" with SIGKILL, and return when it answers again."""
        pid = cloud.kill(home, service)
        print(f"{service} (process {pid}) was killed, and answers again.")

    def stop(self) -> None:
        """Stop MLflow until `start`, or until the local cloud is brought up."""
        cloud.stop_service(home, "mlflow")
        print("MLflow is stopped: nobody gets an answer from it.")

    def start(self) -> None:
        """Start MLflow, and return when it answers."""
        cloud.start_service(home, "mlflow")
        print(f"MLflow answers again at {self.url}.")

    def look(self, page: str, wait_for: str, alt: str) -> None:
        """Show a picture of one of the server's pages once it shows a text, or a link if no browser takes one."""
        given = cloud.environment(home)
        login = given["MLFLOW_TRACKING_USERNAME"], given["MLFLOW_TRACKING_PASSWORD"]
        _picture(lambda: take_page(f"{self.url}/{page}", login, wait_for), alt, self.url)


def tracking_server(
    bucket: str, profile: str = "mlflow", password: str | None = None
) -> TrackingServer:
    """Install what `infra/` says of the tracking server, bring it up, and let MLflow's clients here know it.

    Its artifacts go to the bucket with the profile's keys. It makes a password, or takes a new one.
    """
    _require_begun()
    kept = install_tracking(home, bucket, profile, password)
    os.environ.update(kept.environment())
    print(f"The tracking server answers at {kept.uri} (and nowhere else than on this machine).")
    return TrackingServer(kept.uri, root_of(home))


@contextmanager
def rehearsed_aws() -> Iterator[None]:
    """Let commands talk to an AWS in this kernel's memory, in which nothing stands; forget it in the end."""
    before = dict(os.environ)
    with aws_in_memory() as settings:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(settings)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def look(app: RunningApp, review: str | None = None, alt: str = "The app's page") -> None:
    """Show a picture of the app's page, with a review typed in, or a link if no browser takes one."""
    _picture(lambda: take_screenshot(app.url, review), alt, app.url)


def _picture(take: Callable[[], bytes], alt: str, url: str) -> None:
    try:
        display(Image(take(), alt=alt, width=700, metadata={"alt": alt}))
    except NoBrowserError as error:
        print(f"{error} Open {url} yourself.")


def table(frame: "pd.DataFrame") -> None:
    """Show a table without its row numbers, long texts cut short; screen readers can read it."""
    short = frame.map(lambda value: shorten(value, 90) if isinstance(value, str) else value)
    display(HTML(short.to_html(index=False).replace("<table", '<table tabindex="0"', 1)))


def check(number: int) -> None:
    """Probe what the milestone built and show what holds. Raises `TutorialError` if something does not."""
    results = run_checks(number, home)
    display(HTML(_check_table(results)))
    passed = sum(result.passed for result in results)
    home.record(f"check-{number}", {"passed": passed, "total": len(results)})
    if passed < len(results):
        first = next(result for result in results if not result.passed)
        raise TutorialError(
            f"{len(results) - passed} of {len(results)} do not hold yet. "
            f"{first.claim}: {first.seen} {first.hint}"
        )


def audit() -> None:
    """Put the eight questions to the running system and show who can answer."""
    answers = ask_audit(home)
    known = sum(answer.answer is not None for answer in answers)
    if _begun is not None:
        home.record(f"audit-{_begun}", {"answered": known, "of": len(answers)})
    display(HTML(_audit_table(answers)))


def exercise(name: str, *answer: Any) -> bool:
    """Check an answer to an exercise; say what is right or what to try, and return whether it is solved."""
    if name not in EXERCISES:
        raise TutorialError(f"There is no exercise {name!r}: choose from {', '.join(EXERCISES)}.")
    checker: Callable[..., str] = EXERCISES[name]
    try:
        print(f"✓ {checker(home, *answer)}")
    except TutorialError as error:
        print(f"✗ Not yet. {error}")
        return False
    return True


def leaky_workflow() -> None:
    """Show the workflow of the exercise "find the leak", with the numbers of its lines."""
    for number, line in enumerate(LEAKY_WORKFLOW.splitlines(), start=1):
        print(f"{number:>2}  {line}")


def leaky_reviews() -> Path:
    """Write the table of the exercise "find the copies" outside of the workspace, and return its path."""
    return data_exercises.leaky_reviews(home)


def commit(number: int) -> None:
    """Commit the workspace, tag it `milestone-N`, and print what changed."""
    _require_begun()
    print(Workspace(home.workspace).commit(number, milestone_of(number).title))


def _require_begun() -> None:
    if _begun is None or Path.cwd().resolve() != home.workspace.resolve():
        raise TutorialError(
            "This notebook is not in the workspace: run the cell with lab.begin() first."
        )


def _check_table(results: list[Result]) -> str:
    rows = "".join(
        f"<tr><td>{'✓' if r.passed else '✗'}</td><td>{html.escape(r.claim)}</td>"
        f"<td {BREAKS}>{html.escape(r.seen if r.passed else f'{r.seen} {r.hint}')}</td></tr>"
        for r in results
    )
    head = "<tr><th>Holds</th><th>What must hold</th><th>What was seen</th></tr>"
    return (
        f'<table class="dataframe" tabindex="0"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    )


def _audit_table(answers: list[Answer]) -> str:
    rows = "".join(
        f"<tr><td>{n}</td><td>{html.escape(a.question)}</td>"
        f"<td {BREAKS}>{html.escape(a.answer or 'nobody can tell')}</td>"
        f"<td {BREAKS}>{html.escape(a.evidence)}</td></tr>"
        for n, a in enumerate(answers, start=1)
    )
    known = sum(a.answer is not None for a in answers)
    head = "<tr><th>No.</th><th>Question</th><th>Answer</th><th>Evidence, or why not</th></tr>"
    return (
        f"<p><b>{known} of {len(answers)}</b> questions can be answered.</p>"
        f'<table class="dataframe" tabindex="0"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    )


__all__ = [
    "audit",
    "begin",
    "check",
    "commit",
    "exercise",
    "github_app",
    "give",
    "keep_profile",
    "leaky_reviews",
    "leaky_workflow",
    "live",
    "look",
    "protect_main",
    "pull_request",
    "running_app",
    "runs",
    "secret",
    "serve",
    "table",
    "variable",
    "visit",
]
