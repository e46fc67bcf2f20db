"""Where a job runs: folders of its own, an environment that knows nothing of ours, its processes."""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tutorial.github.coercion import Value
from tutorial.github.expressions import Strict

TRACKING = "RUNNER_TRACKING_ID"  # as GitHub's runner names it: how a job's processes are found
SYSTEM_PATH = (
    *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"),
    "/opt/homebrew/bin",
)
# What a job needs of this machine to install packages: where they are kept, and the way out.
MACHINE = (
    *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "SSL_CERT_FILE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
ARCHITECTURES = {"x86_64": "X64", "amd64": "X64", "aarch64": "ARM64", "arm64": "ARM64"}


@dataclass
class Site:
    """The folders of one job, and what its steps have added to its environment."""

    state: Path
    run: int
    job: int
    path: list[Path] = field(default_factory=list)  # in front of the system's; the latest first
    environment: dict[str, str] = field(default_factory=dict)  # by GITHUB_ENV and by actions

    @property
    def root(self) -> Path:
        """The folder of all of it, removed with the job."""
        return self.state / "work" / f"{self.run}-{self.job}"

    @property
    def workspace(self) -> Path:
        """Where the clone goes and the steps run."""
        return self.root / "workspace"

    @property
    def temp(self) -> Path:
        """Where scripts and the files of the steps are."""
        return self.root / "temp"

    def make(self) -> None:
        """Make the folders, their owner's alone to look into."""
        self.root.mkdir(parents=True, mode=0o700)
        for name in ("workspace", "temp", "home", "tools"):
            (self.root / name).mkdir()

    def remove(self) -> None:
        """End what the job's steps have left running, and remove the folders.

        An environment has thousands of files: they are moved out of the way, and go while the run goes on.
        """
        end_processes(f"{tracking_prefix(self.state)}{self.run}_{self.job}_")
        gone = self.root.with_name(f".gone-{self.root.name}")
        with contextlib.suppress(OSError):
            self.root.rename(gone)
            threading.Thread(target=remove_tree, args=(gone,)).start()

    def runner_context(self) -> Strict:
        """Return the context `runner`."""
        values: dict[str, Value] = {
            "arch": ARCHITECTURES.get(platform.machine().lower(), platform.machine()),
            "debug": "",
            "environment": "self-hosted",
            "name": "laptop",
            "os": "macOS" if sys.platform == "darwin" else "Linux",
            "temp": str(self.temp),
            "tool_cache": str(self.root / "tools"),
        }
        return Strict(values)

    def variables(self, own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
        """Return a step's whole environment: `given` by the workflow, `own` (GITHUB_*) over it."""
        runner = {
            f"RUNNER_{name.upper()}": str(value)
            for name, value in self.runner_context().items()
            if value
        }
        base = {
            "HOME": str(self.root / "home"),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.temp),
            "CI": "true",
            # Output is followed as it comes.
            "PYTHONUNBUFFERED": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{name: os.environ[name] for name in MACHINE if name in os.environ},
            "PATH": os.pathsep.join(system_path()),
        }
        # The local cloud is never behind a proxy.
        for name in ("NO_PROXY", "no_proxy"):
            base[name] = ",".join(filter(None, [base.get(name), "127.0.0.1", "localhost"]))
        merged = {**base, **self.environment, **given, **runner, **own, "GITHUB_ACTIONS": "true"}
        merged["PATH"] = os.pathsep.join([*map(str, self.path), merged["PATH"]])
        merged[TRACKING] = f"{tracking_prefix(self.state)}{self.run}_{self.job}_"
        # A process's environment holds no NUL.
        return {name: value.replace("\0", "") for name, value in merged.items()}


def system_path() -> list[str]:
    """Return the folders of programs that every job sees: the system's, and those of git and bash."""
    tools = (shutil.which(name) for name in ("git", "bash"))
    wanted = [*(str(Path(tool).parent) for tool in tools if tool), *SYSTEM_PATH]
    return [folder for folder in dict.fromkeys(wanted) if Path(folder).is_dir()]


def machine_secrets() -> list[str]:
    """Return those of this machine's settings that hold a password."""
    return [os.environ[name] for name in MACHINE if "@" in os.environ.get(name, "")]


def ensure_cache_is_named() -> None:
    """Tell uv where its cache is: it looks below HOME, which is a job's own."""
    if "UV_CACHE_DIR" not in os.environ:
        said = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True)
        if said.returncode == 0:
            os.environ["UV_CACHE_DIR"] = said.stdout.strip()


def uv() -> Path:
    """Return the uv that was installed with us."""
    return Path(sys.executable).with_name("uv")


def tracking_prefix(state: Path) -> str:
    """Return how the tracking ids of this state's jobs begin: two homes do not meet."""
    return f"github_{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:16]}_"


def end_processes(prefix: str) -> None:
    """End every process of the jobs whose tracking id begins so."""
    ended = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(TRACKING, "").startswith(
                prefix
            ):
                process.kill()
                ended.append(process)
    psutil.wait_procs(ended, timeout=5)


def remove_tree(folder: Path) -> None:
    """Remove a folder, whatever a step has made of its permissions."""

    def open_up(function: Callable[..., object], path: str, problem: object) -> None:
        # What cannot be removed is in a folder that may not be written, or cannot be listed itself.
        for closed in (Path(path).parent, Path(path)):
            with contextlib.suppress(OSError):
                if not closed.is_symlink():
                    closed.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)

    if folder.exists():
        with contextlib.suppress(OSError):
            shutil.rmtree(folder, onerror=open_up)
