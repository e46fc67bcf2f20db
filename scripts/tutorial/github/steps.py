"""Execute one step: its script, or the shim of its action."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tutorial.github.actions import SHIMS
from tutorial.github.coercion import truth
from tutorial.github.document import WorkflowError
from tutorial.github.expressions import Scope, Secrets, Template
from tutorial.github.masking import Masker
from tutorial.github.script import Ended, run_command
from tutorial.github.shims import ActionError, Afterwards, Call
from tutorial.github.site import Site
from tutorial.github.step_files import StepFileError, read_pairs, read_text
from tutorial.github.store import Row, Store
from tutorial.github.transcript import Transcript
from tutorial.github.workflow import Job, Step, Workflow

MINUTE = 60.0  # seconds
FILES = ("env", "output", "path", "step_summary")
SUMMARY_LIMIT = 1024 * 1024  # bytes
# Without a `shell:` GitHub's bash does not fail in the middle of a pipe; with `shell: bash` it does.
SHELLS = {None: ("-e",), "bash": ("--noprofile", "--norc", "-eo", "pipefail")}


@dataclass
class Situation:
    """What a step finds: the job it belongs to, and all that came before it."""

    store: Store
    run: Row
    workflow: Workflow
    job: Job
    site: Site
    scope: Scope
    secrets: Secrets
    masker: Masker
    own: Mapping[str, str]  # GITHUB_*
    env: dict[str, str]  # of the workflow, the job and GITHUB_ENV
    deadline: float  # of the job, monotonic seconds
    is_cancelled: Callable[[], bool]
    may_write: bool


@dataclass
class Outcome:
    """How a step went."""

    how: Ended
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    afterwards: Afterwards | None = None


def step_title(step: Step, scope: Scope) -> str:
    """Return what a step is called; `WorkflowError` where its name cannot be evaluated."""
    if step.name:
        return step.name.text(scope).strip().split("\n", 1)[0]
    if step.uses:
        return f"Run {step.uses.partition('@')[0]}"
    script = step.run.source.strip() if step.run else ""
    return f"Run {script.splitlines()[0] if script else 'nothing'}"


def execute_step(step: Step, number: int, here: Situation, transcript: Transcript) -> Outcome:
    """Execute a step whose condition is true. What is wrong with it is in the log, and its outcome."""
    try:
        given = {**here.env, **_texts(step.env, here.scope)}
        # A step's own variables are in its `env`.
        here.scope = Scope(
            {**here.scope.contexts, "env": dict(given)}, here.scope.status, here.site.workspace
        )
        deadline, what = here.deadline, "job"
        if step.timeout:
            limit = time.monotonic() + minutes(step.timeout, here.scope) * MINUTE
            if limit < deadline:
                deadline, what = limit, "step"
        if step.uses:
            return _use(step, here, transcript)
        outcome = _run(step, number, here, given, deadline, transcript)
        if outcome.how is Ended.TIMED_OUT:
            transcript.tell(f"Error: the {what} has taken longer than its `timeout-minutes`.")
            if what == "step":
                outcome.how = Ended.BADLY
        return outcome
    except (WorkflowError, ActionError, StepFileError, OSError) as error:
        transcript.tell(f"Error: {error}")
        return Outcome(Ended.BADLY)
    finally:
        _tell_missing(here, transcript)


def minutes(template: Template, scope: Scope) -> float:
    """Return a `timeout-minutes`: whole minutes, as on GitHub."""
    text = template.text(scope)
    try:
        value = float(text)
    except ValueError:
        value = 0
    if value < 1 or not value.is_integer():
        raise template.place.error(
            f"`timeout-minutes` has to be a whole number of minutes, not '{text}'."
        )
    return value


def is_forgiven(step: Step, scope: Scope) -> bool:
    """Tell whether the job goes on well when the step fails."""
    if step.continue_on_error is None:
        return False
    value = step.continue_on_error.value(scope)
    return truth(value) and value != "false"


def _texts(templates: Mapping[str, Template], scope: Scope) -> dict[str, str]:
    return {name: template.text(scope) for name, template in templates.items()}


def _tell_missing(here: Situation, transcript: Transcript) -> None:
    for name in sorted(here.secrets.missing):
        transcript.tell(f"The secret {name} is not set: it is empty, as on GitHub.")
    here.secrets.missing.clear()


def _use(step: Step, here: Situation, transcript: Transcript) -> Outcome:
    name = str(step.uses).partition("@")[0]
    inputs = {key: template.text(here.scope) for key, (template, _) in step.inputs.items()}
    call = Call(
        here.site, here.store, here.run, inputs, here.may_write, transcript.say, here.masker.add
    )
    transcript.say(f"{step.uses}: a stand-in on this machine.")
    SHIMS[name](call)
    return Outcome(Ended.WELL, call.outputs, afterwards=call.afterwards)


def _run(
    step: Step,
    number: int,
    here: Situation,
    given: Mapping[str, str],
    deadline: float,
    transcript: Transcript,
) -> Outcome:
    script = step.run.text(here.scope) if step.run else ""
    defaults = (here.job.defaults, here.workflow.defaults)
    shell = step.shell or next((one.shell for one in defaults if one.shell), None)
    place = step.working_directory or next(
        (one.working_directory for one in defaults if one.working_directory), None
    )
    folder = here.site.workspace / (place.text(here.scope) if place else "")
    if not folder.is_dir():
        raise ActionError(f"There is no folder {folder.name} to run in: check out first?")
    files = {name: here.site.temp / f"{name}_{number}" for name in FILES}
    for file in files.values():
        file.touch(mode=0o600)
    path = here.site.temp / f"step_{number}.sh"
    path.write_text(script.replace("\r\n", "\n") + "\n", encoding="utf-8", errors="replace")
    path.chmod(0o600)
    for line in script.rstrip().splitlines():
        transcript.say(f"$ {line}")
    own = {**here.own, **{f"GITHUB_{name.upper()}": str(file) for name, file in files.items()}}
    how, status = run_command(
        ["bash", *SHELLS[shell], str(path)],
        folder,
        here.site.variables({**own, "GITHUB_ACTION": step.key or f"__run_{number}"}, given),
        transcript,
        deadline,
        here.is_cancelled,
    )
    if how is Ended.BADLY:
        transcript.tell(f"Error: the script ended with exit status {status}.")
    if transcript.problem and how is Ended.WELL:
        how = Ended.BADLY
    outcome = Outcome(how, summary=_summary(files["step_summary"], here.masker, transcript))
    _take_files(files, here, outcome, transcript)
    return outcome


def _take_files(
    files: Mapping[str, Path], here: Situation, outcome: Outcome, transcript: Transcript
) -> None:
    try:
        outcome.outputs.update(read_pairs(read_text(files["output"]), "GITHUB_OUTPUT"))
        for name, value in read_pairs(read_text(files["env"]), "GITHUB_ENV"):
            if name.upper().startswith(("GITHUB_", "RUNNER_")) or name == "NODE_OPTIONS":
                raise StepFileError(f"GITHUB_ENV may not set {name}: choose another name.")
            here.env[name] = value
        for line in read_text(files["path"]).splitlines():
            if line.strip():
                here.site.path.insert(0, Path(line.strip()))
    except StepFileError as error:
        transcript.tell(f"Error: {error}")
        outcome.how = Ended.BADLY


def _summary(file: Path, masker: Masker, transcript: Transcript) -> str:
    try:
        if file.stat().st_size > SUMMARY_LIMIT:
            transcript.tell("Error: the summary is larger than 1 MB and is not kept.")
            return ""
        return masker.mask(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
