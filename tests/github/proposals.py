"""A repository with workflows for pull requests, and people who propose changes of it; no runner."""

from rehearsal import CHECKOUT, Rehearsal, workflow

from tutorial.github.events import Queued, RefChange
from tutorial.github.forks import fork
from tutorial.github.movement import pushed
from tutorial.github.people import person
from tutorial.github.pulls import open_pull
from tutorial.github.repository import NOTHING, Repository
from tutorial.github.store import Row

STEPS = f"- uses: {CHECKOUT}\n- run: ls"
TRAIN = workflow(STEPS, "Train").replace("on: push", "on: {pull_request: {paths: ['params.yaml']}}")
PROMOTE = workflow("- run: echo live", "Promote").replace(
    "on: push", "on: {push: {branches: [main]}}"
)
REPORT = workflow("- run: cat $GITHUB_EVENT_PATH", "Report").replace(
    "on: push", "on: {workflow_run: {workflows: [Train], types: [completed]}}"
)


class Proposals:
    """Makes branches, in the repository or in a fork, and pull requests of them."""

    def __init__(self, rehearsal: Rehearsal, **files: str) -> None:
        self.rehearsal, self.store = rehearsal, rehearsal.store
        self.repository = rehearsal.repository
        usual = {"train.yml": TRAIN, "promote.yml": PROMOTE, "report.yml": REPORT}
        given = {f"{name}.yml": text for name, text in files.items()}
        rehearsal.commit({**usual, **given, "params.yaml": "C: 1\n", "README.md": "Hello\n"})
        rehearsal.receive()

    def branch(
        self, name: str, files: dict[str, str], owner: str = "reader", message: str = "A change"
    ) -> str:
        """Put a commit on a branch, one of main's if it is new, and return it; as a push, but followed by no one."""
        source = self.source(owner)
        there = source.has_branch(name)
        start = source.resolve(f"refs/heads/{name}") if there else self.main()
        self.rehearsal.git("fetch", "--quiet", source.url, "+refs/heads/*:refs/remotes/there/*")
        self.rehearsal.git("fetch", "--quiet", self.repository.url, "main")
        self.rehearsal.git("checkout", "--quiet", "--detach", start)
        sha = self.rehearsal.commit(files, message)
        self.move(name, sha, owner)
        return sha

    def move(self, name: str, sha: str, owner: str = "reader") -> list[Queued]:
        """Move a branch to a commit of the reader's, or remove it (NOTHING), and tell the pull requests."""
        source = self.source(owner)
        there = source.has_branch(name)
        before = source.resolve(f"refs/heads/{name}") if there else NOTHING
        if sha == NOTHING:
            source.git("update-ref", "-d", f"refs/heads/{name}")
        else:
            origin = str(self.rehearsal.reader)
            source.git("fetch", "--quiet", origin, f"+{sha}:refs/heads/{name}")
        change = RefChange(before, sha, f"refs/heads/{name}")
        self.queued = pushed(self.store, source, change, person(owner))
        return self.queued

    def source(self, owner: str) -> Repository:
        """The repository, or somebody's fork."""
        return self.repository if owner == "reader" else fork(self.store.state, owner)

    def main(self) -> str:
        """The last commit of main."""
        return self.repository.resolve("refs/heads/main")

    def propose(
        self, name: str = "topic", files: dict[str, str] | None = None, owner: str = "reader"
    ) -> tuple[Row, Queued]:
        """Open a pull request of a new branch, which changes params.yaml if nothing else is said."""
        self.branch(name, files or {"params.yaml": "C: 2\n"}, owner)
        return open_pull(self.store, person(owner), f"Try {name}", f"{owner}:{name}")

    def again(self) -> Queued:
        """Push once more to the branch `topic` of the one pull request."""
        self.branch("topic", {"params.yaml": "C: 3\n"})
        (queued,) = self.queued
        return queued

    def workflows(self, queued: Queued) -> list[str]:
        """The workflows of the runs that were queued."""
        return [self.store.run(run)["workflow"] for run in queued.runs]

    def finish(self, run: int, job: str, conclusion: str) -> None:
        """Let a run end with one job, without executing it."""
        row = {"run": run, "key": job, "name": job, "status": "completed"}
        self.store.insert("jobs", **row, conclusion=conclusion)
        self.store.finish("runs", run, conclusion)
