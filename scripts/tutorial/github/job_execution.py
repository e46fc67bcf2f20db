"""Execute one job of a run, from an empty folder to an empty folder."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tutorial.errors import TutorialError
from tutorial.github import tokens
from tutorial.github.coercion import Value, truth
from tutorial.github.document import WorkflowError
from tutorial.github.expressions import Scope, Secrets, Strict
from tutorial.github.masking import Masker
from tutorial.github.run_context import gets_secrets, github_context, token_permissions, variables
from tutorial.github.script import Ended
from tutorial.github.shims import ActionError, Afterwards
from tutorial.github.site import Site, machine_secrets
from tutorial.github.steps import (
    MINUTE,
    Outcome,
    Situation,
    execute_step,
    is_forgiven,
    minutes,
    step_title,
)
from tutorial.github.store import Row, Store
from tutorial.github.transcript import Transcript
from tutorial.github.vault import Vault
from tutorial.github.workflow import Job, Step, Workflow

USUAL_TIMEOUT = 360.0  # minutes
GRACE = 300.0  # seconds for the steps that run although the job was cancelled


@dataclass
class JobExecution:
    """One job: call `execute` once."""

    store: Store
    run: Row
    workflow: Workflow
    job: Job
    identity: int
    needs: Mapping[str, Value]
    # The run is to end, or the job; steps that ask for it still run.
    cancelled: tuple[threading.Event, ...]
    stopped: threading.Event  # the runner is to end; nothing more runs
    status: str = "success"
    steps: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def execute(self) -> str:
        """Return the conclusion; what the steps did is in the store."""
        self.site = Site(self.store.state, self.run["id"], self.identity)
        vault = Vault(self.store.state)
        payload = json.loads(self.run["payload"])
        permissions = token_permissions(self.job.permissions, self.workflow.permissions, payload)
        self.may_write = permissions.get("contents") == "write"
        token, _ = tokens.issue(self.store, "job", str(self.identity), permissions, tokens.DAY)
        held = vault.secrets() if gets_secrets(payload) else {}
        self.masker = Masker([*vault.secrets().values(), token, *machine_secrets()])
        self.secrets = Secrets({**held, "GITHUB_TOKEN": token})
        self.github = github_context(self.run, payload, self.store.state)
        self.github.update(
            job=self.job.key,
            workspace=str(self.site.workspace),
            event_path=str(self.site.temp / "event.json"),
            token=token,
            action="",
            action_path="",
            env="",
            path="",
        )
        self.variables: Mapping[str, Value] = dict(vault.variables())
        deployment = None
        problem: str | None = None
        try:
            self.site.make()
            (self.site.temp / "event.json").write_text(json.dumps(payload), encoding="utf-8")
            situation = self._situation()
            deployment = self._deploy(situation.scope)
            self._all_steps(situation)
            self._conclude(situation, deployment)
        except (TutorialError, OSError) as error:
            self.status, problem = "failure", self.masker.mask(str(error))
        finally:
            tokens.revoke_jobs(self.store, self.identity)
            self.site.remove()
            if self.stopped.is_set():
                self.status = "cancelled"
            if deployment is not None:
                self._end_deployment(deployment)
        self.store.update("jobs", self.identity, outputs=json.dumps(self.outputs))
        self.store.finish("jobs", self.identity, self.status, problem)
        return self.status

    def _situation(self) -> Situation:
        contexts: dict[str, Value] = {
            "github": self.github,
            "needs": dict(self.needs),
            "vars": self.variables,
            "secrets": self.secrets,
            "inputs": {},
            "strategy": {
                "fail-fast": True,
                "job-index": 0.0,
                "job-total": 1.0,
                "max-parallel": 1.0,
            },
            "matrix": None,
        }
        scope = Scope(contexts)
        env: dict[str, str] = {}
        for templates in (self.workflow.env, self.job.env):
            env |= {name: template.text(scope) for name, template in templates.items()}
        limit = minutes(self.job.timeout, scope) if self.job.timeout else USUAL_TIMEOUT
        self.deadline = time.monotonic() + limit * MINUTE
        contexts |= {
            "runner": self.site.runner_context(),
            "job": self._job_context(),
            "steps": self.steps,
            "env": env,
        }
        return Situation(
            store=self.store,
            run=self.run,
            workflow=self.workflow,
            job=self.job,
            site=self.site,
            scope=Scope(contexts, self._functions(), self.site.workspace),
            secrets=self.secrets,
            masker=self.masker,
            own=variables(self.github),
            env=env,
            deadline=self.deadline,
            is_cancelled=self._is_cancelled,
            may_write=self.may_write,
        )

    def _job_context(self) -> Strict:
        return Strict({"status": self.status})

    def _functions(self) -> Mapping[str, Callable[[], bool]]:
        return {
            "success": lambda: self.status == "success",
            "failure": lambda: self.status == "failure",
            "cancelled": lambda: self.status == "cancelled",
            "always": lambda: True,
        }

    def _is_cancelled(self) -> bool:
        if self.stopped.is_set():
            return True
        # What runs after the cancelling is not cancelled by it again.
        return self._to_be_cancelled() and self.status != "cancelled"

    def _to_be_cancelled(self) -> bool:
        return any(event.is_set() for event in self.cancelled)

    def _all_steps(self, situation: Situation) -> None:
        afterwards: list[tuple[str, Afterwards]] = []
        number = 0
        for number, step in enumerate(self.job.steps, 1):
            if self.stopped.is_set():
                return
            if self._to_be_cancelled() and self.status != "cancelled":
                self._cancel(situation)
            if later := self._step(step, number, situation):
                afterwards.append(later)
        for title, part in reversed(afterwards):
            number += 1
            self._afterwards(title, part, number)

    def _cancel(self, situation: Situation) -> None:
        self.status = "cancelled"
        situation.deadline = time.monotonic() + GRACE

    def _step(self, step: Step, number: int, common: Situation) -> tuple[str, Afterwards] | None:
        """Execute or skip a step; return the part of it that comes after the last step, if any."""
        contexts = {**common.scope.contexts, "job": self._job_context(), "env": dict(common.env)}
        scope = Scope(contexts, common.scope.status, self.site.workspace)
        here = replace(common, scope=scope)
        row = self.store.insert(
            "steps", job=self.identity, number=number, name="", status="queued", started=time.time()
        )
        title = step.uses or "Run"
        try:
            wanted = truth(step.condition.value(scope))
            with contextlib.suppress(WorkflowError):
                title = step_title(step, scope)
            problem = None
        except WorkflowError as error:
            wanted, problem = True, str(error)
        title = self.masker.mask(title)
        if not wanted:
            self.store.update(
                "steps",
                row,
                name=title,
                status="completed",
                conclusion="skipped",
                finished=time.time(),
            )
            self._record(step, {}, "skipped", "skipped")
            return None
        self.store.update("steps", row, name=title, status="in_progress", started=time.time())
        transcript = Transcript(
            self.store.log_file(self.run["id"], self.identity, number), self.masker
        )
        forgiven = False
        try:
            if problem:
                transcript.tell(f"Error: {problem}")
                outcome = Outcome(Ended.BADLY)
            else:
                outcome = execute_step(step, number, here, transcript)
            if outcome.how is Ended.BADLY:
                forgiven = self._forgiven(step, here.scope, transcript)
        finally:
            transcript.close()
        self._keep(transcript, number, outcome)
        if outcome.how is Ended.TIMED_OUT:  # of the job: GitHub cancels it
            outcome.how = Ended.CANCELLED
        if outcome.how is Ended.CANCELLED:
            self._cancel(common)
        result = outcome.how.value
        conclusion = "success" if forgiven else result
        if conclusion == "failure" and self.status == "success":
            self.status = "failure"
        self._record(step, outcome.outputs, result, conclusion)
        self.store.update(
            "steps", row, status="completed", conclusion=conclusion, finished=time.time()
        )
        return (f"Post {title}", outcome.afterwards) if outcome.afterwards else None

    def _forgiven(self, step: Step, scope: Scope, transcript: Transcript) -> bool:
        try:
            return is_forgiven(step, scope)
        except WorkflowError as error:
            transcript.tell(f"Error: {error}")
            return False

    def _record(
        self, step: Step, outputs: Mapping[str, str], outcome: str, conclusion: str
    ) -> None:
        if step.key:
            self.steps[step.key] = {
                "outputs": dict(outputs),
                "outcome": outcome,
                "conclusion": conclusion,
            }

    def _keep(self, transcript: Transcript, number: int, outcome: Outcome) -> None:
        for remark in transcript.annotations[:50]:
            self.store.insert(
                "annotations",
                job=self.identity,
                step=number,
                level=remark.level,
                file=remark.file,
                line=remark.line,
                title=remark.title,
                message=remark.message,
            )
        if outcome.summary:
            path = self.store.summary_file(self.run["id"], self.identity, number)
            path.write_text(outcome.summary, encoding="utf-8")

    def _afterwards(self, title: str, part: Afterwards, number: int) -> None:
        row = self.store.insert(
            "steps",
            job=self.identity,
            number=number,
            name=title,
            status="in_progress",
            started=time.time(),
        )
        log = self.store.log_file(self.run["id"], self.identity, number)
        transcript = Transcript(log, self.masker)
        try:
            part(self.status == "success", transcript.say)
        except (ActionError, OSError, ValueError) as error:
            # On GitHub a cache that cannot be kept is a warning.
            transcript.tell(f"Warning: {error}")
        finally:
            transcript.close()
        self.store.update(
            "steps", row, status="completed", conclusion="success", finished=time.time()
        )

    def _conclude(self, situation: Situation, deployment: int | None) -> None:
        """Evaluate the job's outputs, and the address it has deployed to."""
        scope = replace_env(situation)
        for name, template in self.job.outputs.items():
            value = template.text(scope)
            # As on GitHub: an output that holds a secret is not passed on.
            self.outputs[name] = "" if self.masker.hides(value) else value
        if deployment is not None and self.job.environment and self.job.environment.url:
            url = self.masker.mask(self.job.environment.url.text(scope))
            self.store.update("deployments", deployment, url=url)

    def _deploy(self, scope: Scope) -> int | None:
        if self.job.environment is None:
            return None
        name = self.masker.mask(self.job.environment.name.text(scope))
        if not name:
            return None
        now = time.time()
        return self.store.insert(
            "deployments",
            run=self.run["id"],
            job=self.identity,
            environment=name,
            sha=self.run["sha"],
            ref=self.run["ref"],
            state="in_progress",
            created=now,
            updated=now,
        )

    def _end_deployment(self, deployment: int) -> None:
        well = self.status == "success"
        state = "success" if well else "failure"
        self.store.update("deployments", deployment, state=state, updated=time.time())
        if not well:
            return
        own = self.store.rows("SELECT * FROM deployments WHERE id = ?", deployment)[0]
        for former in self.store.deployments(own["environment"]):
            if former["id"] < deployment and former["state"] == "success":
                self.store.update("deployments", former["id"], state="inactive")


def replace_env(situation: Situation) -> Scope:
    """Return the scope after the last step: `env` has what the steps added."""
    contexts = {**situation.scope.contexts, "env": dict(situation.env)}
    return Scope(contexts, situation.scope.status, situation.scope.workspace)
