"""A workflow file: exactly what the rehearsal supports of it, and an error for all else."""

import re
from dataclasses import dataclass, replace

from tutorial.github import availability as at
from tutorial.github.coercion import Value
from tutorial.github.document import Part, Place, read
from tutorial.github.expressions import Availability, Expression, Template, compile_condition
from tutorial.github.reading import (
    Concurrency,
    Defaults,
    read_concurrency,
    read_defaults,
    read_env,
    read_minutes,
    read_permissions,
    read_shell,
    template,
)
from tutorial.github.triggers import Trigger, read_triggers

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
TOP = ("name", "run-name", "on", "env", "permissions", "concurrency", "defaults", "jobs")
JOB = (
    *("name", "runs-on", "needs", "if", "outputs", "timeout-minutes", "permissions"),
    *("environment", "concurrency", "env", "defaults", "strategy", "steps"),
)
STEP = (
    *("id", "name", "if", "uses", "with", "run", "env", "shell", "working-directory"),
    *("timeout-minutes", "continue-on-error"),
)


@dataclass(frozen=True)
class Step:
    """One step: a script (`run`) or an action (`uses`)."""

    place: Place
    key: str | None
    name: Template | None
    condition: Expression
    uses: str | None
    uses_place: Place
    inputs: dict[str, tuple[Template, Place]]
    run: Template | None
    env: dict[str, Template]
    shell: str | None
    working_directory: Template | None
    timeout: Template | None
    continue_on_error: Template | None


@dataclass(frozen=True)
class Environment:
    """What a job deploys to."""

    name: Template
    url: Template | None


@dataclass(frozen=True)
class Job:
    """One job."""

    place: Place
    key: str
    name: Template | None
    runs_on: tuple[Template, ...]
    needs: tuple[str, ...]
    condition: Expression
    outputs: dict[str, Template]
    timeout: Template | None
    permissions: dict[str, str] | None
    environment: Environment | None
    concurrency: Concurrency | None
    env: dict[str, Template]
    defaults: Defaults
    matrix: tuple[Place, Value] | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Workflow:
    """One workflow file."""

    file: str
    name: str
    run_name: Template | None
    on: dict[str, Trigger]
    env: dict[str, Template]
    permissions: dict[str, str] | None
    concurrency: Concurrency | None
    defaults: Defaults
    jobs: dict[str, Job]

    def in_order(self) -> list[Job]:
        """Return the jobs so that each comes after those it needs, in the file's order otherwise."""
        ordered: dict[str, Job] = {}
        while len(ordered) < len(self.jobs):
            ready = (
                job
                for job in self.jobs.values()
                if job.key not in ordered and all(need in ordered for need in job.needs)
            )
            job = next(ready, None)
            if job is None:
                circle = next(job for job in self.jobs.values() if job.key not in ordered)
                raise circle.place.error(f"the job `{circle.key}` needs itself, by way of others.")
            ordered[job.key] = job
        return list(ordered.values())

    def ancestors(self, job: Job) -> set[str]:
        """Return the jobs that a job needs, and that those need."""
        found: set[str] = set()
        for need in job.needs:
            found |= {need} | self.ancestors(self.jobs[need])
        return found


def read_workflow(content: bytes, file: str) -> Workflow:
    """Return the workflow of a file's content; `WorkflowError` names file and line."""
    root = read(content, file)
    keys = root.mapping(TOP)
    for required in ("on", "jobs"):
        if required not in keys:
            raise root.place.error(f"`{required}` is missing: a workflow has `on` and `jobs`.")
    name = keys["name"].text() if "name" in keys else ""
    run_name = keys.get("run-name")
    # In the order in which people read a file, so that the first mistake is the one that is told.
    head = Workflow(
        file=file,
        name=name or file,
        run_name=template(run_name, at.RUN_NAME) if run_name else None,
        on=read_triggers(keys["on"]),
        env=read_env(keys["env"], at.RUN_ENV) if "env" in keys else {},
        permissions=read_permissions(keys["permissions"]) if "permissions" in keys else None,
        concurrency=_concurrency(keys, at.CONCURRENCY),
        defaults=read_defaults(keys["defaults"], at.NOWHERE) if "defaults" in keys else Defaults(),
        jobs={},
    )
    jobs = {}
    for key, part in keys["jobs"].mapping().items():
        jobs[key] = _read_job(key, part)
    if not jobs:
        raise keys["jobs"].error("has no job")
    for job in jobs.values():
        for need in job.needs:
            if need not in jobs:
                raise job.place.error(f"the job `{job.key}` needs `{need}`, which does not exist.")
    workflow = replace(head, jobs=jobs)
    workflow.in_order()
    return workflow


def _concurrency(keys: dict[str, Part], available: Availability) -> Concurrency | None:
    return read_concurrency(keys["concurrency"], available) if "concurrency" in keys else None


def _condition(keys: dict[str, Part], place: Place, available: Availability) -> Expression:
    if "if" not in keys:
        return compile_condition("success()", place, available)
    return compile_condition(keys["if"].text() or "success()", keys["if"].text_place, available)


def _read_job(key: str, part: Part) -> Job:
    if not NAME.fullmatch(key):
        raise part.place.error(f"`{key}` is no name of a job: letters, digits, - and _.")
    keys = part.mapping(JOB)
    for required in ("runs-on", "steps"):
        if required not in keys:
            raise part.place.error(f"`{required}` is missing in the job `{key}`.")
    runs_on = keys["runs-on"]
    labels = runs_on.sequence() if runs_on.is_sequence() else [runs_on]
    steps = tuple(_read_step(step) for step in keys["steps"].sequence())
    if not steps:
        raise keys["steps"].error("has no step")
    named: set[str] = set()
    for step in filter(lambda one: one.key, steps):
        identity = str(step.key).lower()
        if identity in named:
            raise step.place.error(f"the id `{step.key}` is given to two steps.")
        named.add(identity)
    outputs = keys.get("outputs")
    return Job(
        place=part.place,
        key=key,
        name=template(keys["name"], at.JOB) if "name" in keys else None,
        runs_on=tuple(template(label, at.JOB) for label in labels),
        needs=keys["needs"].texts() if "needs" in keys else (),
        condition=_condition(keys, part.place, at.JOB_IF),
        outputs={n: template(v, at.JOB_OUTPUT) for n, v in outputs.mapping().items()}
        if outputs
        else {},
        timeout=read_minutes(keys["timeout-minutes"], at.JOB)
        if "timeout-minutes" in keys
        else None,
        permissions=read_permissions(keys["permissions"]) if "permissions" in keys else None,
        environment=_read_environment(keys["environment"]) if "environment" in keys else None,
        concurrency=_concurrency(keys, at.JOB),
        env=read_env(keys["env"], at.JOB_ENV) if "env" in keys else {},
        defaults=read_defaults(keys["defaults"], at.DEFAULTS) if "defaults" in keys else Defaults(),
        matrix=_read_matrix(keys["strategy"]) if "strategy" in keys else None,
        steps=steps,
    )


def _read_environment(part: Part) -> Environment:
    if not part.is_mapping():
        return Environment(template(part, at.JOB), None)
    keys = part.mapping(("name", "url"))
    if "name" not in keys:
        raise part.error("has to have a `name`")
    url = keys.get("url")
    return Environment(
        template(keys["name"], at.JOB), template(url, at.ENVIRONMENT_URL) if url else None
    )


def _read_matrix(part: Part) -> tuple[Place, Value] | None:
    keys = part.mapping(("matrix", "fail-fast", "max-parallel"))
    if "matrix" not in keys:
        return None
    _check_texts(keys["matrix"])
    return keys["matrix"].place, keys["matrix"].value()


def _check_texts(part: Part) -> None:
    """Compile every text in a matrix, so that a wrong expression is told."""
    if part.is_mapping():
        for value in part.mapping().values():
            _check_texts(value)
    elif part.is_sequence():
        for value in part.sequence():
            _check_texts(value)
    else:
        template(part, at.STRATEGY)


def _read_step(part: Part) -> Step:
    keys = part.mapping(STEP)
    if ("run" in keys) == ("uses" in keys):
        raise part.place.error("a step has to have either `run` or `uses`.")
    for key, owner in (("with", "uses"), ("shell", "run"), ("working-directory", "run")):
        if key in keys and owner not in keys:
            raise keys[key].error(f"goes with `{owner}`, which this step has not")
    identity = keys["id"].text() if "id" in keys else None
    if identity is not None and not NAME.fullmatch(identity):
        raise keys["id"].error(f"has to be letters, digits, - and _, not {identity!r}")
    inputs = keys["with"].mapping() if "with" in keys and not keys["with"].is_null() else {}
    texts = {
        key: template(keys[key], at.STEP)
        for key in ("name", "run", "working-directory", "continue-on-error")
        if key in keys
    }
    uses = keys["uses"].text() if "uses" in keys else None
    return Step(
        place=part.place,
        key=identity,
        name=texts.get("name"),
        condition=_condition(keys, part.place, at.STEP_IF),
        uses=uses,
        uses_place=keys["uses"].place if uses else part.place,
        inputs={n: (template(v, at.STEP), v.place) for n, v in inputs.items()},
        run=texts.get("run"),
        env=read_env(keys["env"], at.STEP) if "env" in keys else {},
        shell=read_shell(keys["shell"]) if "shell" in keys else None,
        working_directory=texts.get("working-directory"),
        timeout=read_minutes(keys["timeout-minutes"], at.STEP)
        if "timeout-minutes" in keys
        else None,
        continue_on_error=texts.get("continue-on-error"),
    )
