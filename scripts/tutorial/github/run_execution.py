"""Execute one run: its jobs, each after those that it needs."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tutorial.errors import TutorialError
from tutorial.github.coercion import Value, string, truth
from tutorial.github.document import WorkflowError
from tutorial.github.expressions import Scope
from tutorial.github.groups import Groups, Ticket
from tutorial.github.job_execution import JobExecution
from tutorial.github.masking import Masker
from tutorial.github.reading import Concurrency
from tutorial.github.run_context import github_context
from tutorial.github.store import Row, Store
from tutorial.github.vault import Vault
from tutorial.github.workflow import Job, Workflow, read_workflow

REPLACED = "A newer one waits for the concurrency group."
POLL = 0.1  # seconds


@dataclass
class RunExecution:
    """One run: `take_place`, then `execute` in a thread of its own."""

    store: Store
    run: Row
    groups: Groups
    slots: threading.Semaphore  # jobs that may run at a time
    stopped: threading.Event
    cancelled: threading.Event = field(default_factory=threading.Event)
    ticket: Ticket | None = None

    def __post_init__(self) -> None:
        self.workflow: Workflow = read_workflow(self.run["source"], self.run["file"])
        self.payload = json.loads(self.run["payload"])
        self.masker = Masker(Vault(self.store.state).secrets().values())

    def take_place(self) -> None:
        """Join the workflow's concurrency group, in the order in which the runs were queued."""
        if self.workflow.concurrency:
            self.ticket = self._join(self.workflow.concurrency, self._scope({}), self.cancelled)
        waits = self.ticket is not None and self.ticket.waits
        self.store.update("runs", self.run["id"], status="pending" if waits else "in_progress")

    def execute(self) -> None:
        """Execute the run to its end and record how it went."""
        problem: str | None = None
        try:
            if self.ticket and not self.ticket.wait():
                if not self.stopped.is_set():  # else it waits on, for the next runner
                    why = REPLACED if self.ticket.replaced.is_set() else None
                    self.store.finish("runs", self.run["id"], "cancelled", why)
                return
            now = time.time()
            self.store.update("runs", self.run["id"], status="in_progress", started=now)
            conclusion = self._jobs()
        except TutorialError as error:
            conclusion, problem = "failure", self.masker.mask(str(error))
        finally:
            if self.ticket:
                self.groups.leave(self.ticket)
        if self.stopped.is_set():
            conclusion, problem = "cancelled", "The runner was stopped while this run was on."
        self.store.finish("runs", self.run["id"], conclusion, problem)

    def _jobs(self) -> str:
        """Execute the jobs and return the run's conclusion."""
        order = self.workflow.in_order()
        rows = {
            job.key: self.store.insert(
                "jobs", run=self.run["id"], key=job.key, name=job.key, status="queued"
            )
            for job in order
        }
        results: dict[str, Value] = {}
        for job in order:
            if self.stopped.is_set():
                self.store.finish("jobs", rows[job.key], "cancelled")
                continue
            conclusion, outputs = self._job(job, rows[job.key], results)
            results[job.key] = {"result": conclusion, "outputs": outputs}
        concluded = {str(one["result"]) for one in results.values() if isinstance(one, dict)}
        for worst in ("failure", "cancelled"):
            if worst in concluded:
                return worst
        return "success" if "success" in concluded else "skipped"

    def _job(
        self, job: Job, identity: int, results: Mapping[str, Value]
    ) -> tuple[str, dict[str, Value]]:
        """Execute or skip a job; return its conclusion and outputs."""
        ticket: Ticket | None = None
        try:
            scope = self._scope({need: results[need] for need in job.needs})
            scope.status = self._status(job, results)
            if job.name:
                self.store.update("jobs", identity, name=self.masker.mask(job.name.text(scope)))
            if not truth(job.condition.value(scope)):
                # What would have run but for the cancelling counts as cancelled.
                skipped = "cancelled" if self.cancelled.is_set() else "skipped"
                self.store.finish("jobs", identity, skipped)
                return skipped, {}
            if job.concurrency:
                # On GitHub a job that makes way takes its run along; here the other jobs go on.
                cancelled = threading.Event()
                ticket = self._join(job.concurrency, scope, cancelled)
            return self._execute_job(job, identity, results, ticket)
        except WorkflowError as error:
            self.store.finish("jobs", identity, "failure", self.masker.mask(str(error)))
            return "failure", {}
        finally:
            if ticket:
                self.groups.leave(ticket)

    def _execute_job(
        self, job: Job, identity: int, results: Mapping[str, Value], ticket: Ticket | None
    ) -> tuple[str, dict[str, Value]]:
        # A job that runs although the run was cancelled is not cancelled by that again.
        asked = [self.cancelled, *([ticket.cancelled] if ticket else [])]
        cancelled = tuple(event for event in asked if not event.is_set())
        if not self._wait(ticket, cancelled):
            replaced = ticket is not None and ticket.replaced.is_set()
            self.store.finish("jobs", identity, "cancelled", REPLACED if replaced else None)
            return "cancelled", {}
        try:
            self.store.update("jobs", identity, status="in_progress", started=time.time())
            execution = JobExecution(
                store=self.store,
                run=self.run,
                workflow=self.workflow,
                job=job,
                identity=identity,
                needs={need: results[need] for need in job.needs},
                cancelled=cancelled,
                stopped=self.stopped,
            )
            return execution.execute(), dict(execution.outputs)
        finally:
            self.slots.release()

    def _wait(self, ticket: Ticket | None, cancelled: tuple[threading.Event, ...]) -> bool:
        """Wait for a job's turn in its group, and for a slot; False if it is to end before."""

        def given_up() -> bool:
            replaced = ticket is not None and ticket.replaced.is_set()
            return replaced or self.stopped.is_set() or any(event.is_set() for event in cancelled)

        while ticket and not ticket.turn.wait(POLL):
            if given_up():
                return False
        while not self.slots.acquire(timeout=POLL):
            if given_up():
                return False
        return True

    def _scope(self, needs: Mapping[str, Value]) -> Scope:
        github = github_context(self.run, self.payload, self.store.state)
        variables: Mapping[str, Value] = dict(Vault(self.store.state).variables())
        contexts: dict[str, Value] = {
            "github": github,
            "needs": needs,
            "vars": variables,
            "inputs": {},
            "strategy": None,
            "matrix": None,
        }
        return Scope(contexts)

    def _status(self, job: Job, results: Mapping[str, Value]) -> Mapping[str, Callable[[], bool]]:
        """Return the status functions of a job's `if`: they ask all jobs that it comes after."""
        found = (results[key] for key in self.workflow.ancestors(job))
        before = {str(one["result"]) for one in found if isinstance(one, dict)}
        return {
            "success": lambda: before <= {"success"} and not self.cancelled.is_set(),
            "failure": lambda: "failure" in before,
            "cancelled": lambda: self.cancelled.is_set(),
            "always": lambda: True,
        }

    def _join(self, concurrency: Concurrency, scope: Scope, cancelled: threading.Event) -> Ticket:
        group = concurrency.group.text(scope)
        if not group:
            raise concurrency.group.place.error("the concurrency `group` is empty.")
        cancel = string(concurrency.cancel_in_progress.value(scope)) == "true"
        return self.groups.join(group, cancelled, cancel)
