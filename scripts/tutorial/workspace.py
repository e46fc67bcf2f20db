"""The reader's workspace: a git repository of their own that the notebooks build file by file."""

import os
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from tutorial.errors import TutorialError

MARK = "tutorial.workspace"  # a git setting that says: this repository is ours to write in
# A reader's settings for other repositories, which would ask for a key, run a hook or hide a file.
HERE = [
    *(
        "-c",
        "commit.gpgSign=false",
        "-c",
        "tag.gpgSign=false",
        "-c",
        "tag.forceSignAnnotated=false",
    ),
    *("-c", f"core.hooksPath={os.devnull}", "-c", f"core.excludesFile={os.devnull}"),
]
NOBODY = {"user.name": "A reader", "user.email": "reader@localhost"}


class Workspace:
    """Git, as far as the tutorial needs it. Every method raises `TutorialError` where git fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str, index: Path | None = None) -> str:
        """Run git in the workspace and return what it prints, without the last line break."""
        done = self._try_git(*arguments, index=index)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise TutorialError(
                f"git {arguments[0]} failed in the workspace: {reason[-1] if reason else 'no reason'}"
            )
        return done.stdout.rstrip("\n")

    def _try_git(
        self, *arguments: str, index: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        # A git hook exports GIT_DIR and the like: they would point git elsewhere.
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        if index is not None:
            clean["GIT_INDEX_FILE"] = str(index)
        try:
            return subprocess.run(
                ["git", *HERE, *arguments],
                cwd=self.path,
                env=clean,
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            raise TutorialError(
                "git is missing: apt-get install git, or brew install git."
            ) from None

    def prepare(self) -> None:
        """Make the workspace if there is none; refuse a folder that is somebody else's."""
        taken = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        if taken:
            if not self.is_ours():
                raise TutorialError(
                    f"{self.path} is not empty and not a workspace of this tutorial: move it away, "
                    "or set TUTORIAL_HOME to a folder that may be written."
                )
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "core.autocrlf", "false")
        self.git("config", MARK, "true")
        self.git("config", "color.ui", "false")  # colours are codes in what a notebook shows
        self._ensure_identity()
        self.git("commit", "--quiet", "--allow-empty", "--message", "An empty workspace")

    def _ensure_identity(self) -> None:
        """Let a reader commit who never told git who they are, or has moved to another machine."""
        for setting, value in NOBODY.items():
            if self._try_git("config", setting).returncode:
                self.git("config", setting, value)

    def set_origin(self, url: str) -> None:
        """Make the local GitHub the remote `origin`, unless the reader has a repository of their own."""
        known = self._try_git("config", "remote.origin.url").stdout.strip()
        if not known:
            self.git("remote", "add", "origin", url)
        elif known != url and known.startswith("file:"):  # the home was moved
            self.git("remote", "set-url", "origin", url)

    def is_ours(self) -> bool:
        """Tell whether the folder is a workspace that `prepare` made."""
        if not (self.path / ".git").exists():
            return False
        try:
            return self.git("config", MARK) == "true"
        except TutorialError:
            return False

    def tagged(self, milestone: int) -> bool:
        """Tell whether the milestone was finished here once."""
        return bool(self.is_ours() and self.git("tag", "--list", f"milestone-{milestone}"))

    def keep_uncommitted_work(self) -> str | None:
        """Commit what is not committed to a new branch `yours/<time>`, and return its name.

        The files, the index and the current branch stay as they are. Returns None where there is
        nothing to keep, or the latest such branch has it already.
        """
        if not self.git("status", "--porcelain", "--untracked-files=all"):
            return None
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder) / "index"
            self.git("read-tree", "HEAD", index=index)
            self.git("add", "--all", index=index)
            tree = self.git("write-tree", index=index)
        latest = self.git("for-each-ref", "--sort=-committerdate", "--count=1", "refs/heads/yours")
        if latest and self.git("rev-parse", f"{latest.split()[0]}^{{tree}}") == tree:
            return None
        name = self._name_for_yours()
        message = "Uncommitted work, kept by the tutorial"
        self._ensure_identity()
        commit = self.git("commit-tree", tree, "-p", "HEAD", "-m", message)
        self.git("branch", name, commit)
        return name

    def _name_for_yours(self) -> str:
        return f"yours/{datetime.now().astimezone():%Y-%m-%d-%H%M%S-%f}"

    def go_back_to(self, revision: str) -> None:
        """Make the files those of a revision of main. Call `keep_uncommitted_work` before.

        Commits that no other branch holds are kept on a branch `yours/<time>`.
        """
        for ref in ("refs/heads/main", "HEAD"):
            others = ["--not", revision, "--exclude=main", "--branches"]
            if int(self.git("rev-list", "--count", ref, *others)):
                self.git("branch", self._name_for_yours(), ref)
        self.git("checkout", "--quiet", "--force", "-B", "main", revision)
        self.git("clean", "--quiet", "--force", "-d")

    def commit(self, milestone: int, title: str) -> str:
        """Commit what is not committed, tag it `milestone-N`, and return what the milestone changed.

        That is the statistics since the milestone before, whatever commits were made on the way.
        """
        self.git("add", "--all")
        changed = bool(self.git("status", "--porcelain"))
        if changed:
            self._ensure_identity()
            self.git("commit", "--quiet", "--message", f"Milestone {milestone}: {title}")
        if changed or not self.tagged(milestone):
            self.git("tag", "--force", f"milestone-{milestone}")
        former = [n for n in range(milestone) if self.tagged(n)]
        root = self.git("rev-list", "--max-parents=0", "HEAD").splitlines()[-1]
        since = f"milestone-{former[-1]}" if former else root
        said = self.git("diff", "--stat=72", since, f"milestone-{milestone}")
        return said or f"Nothing has changed since {since}."
