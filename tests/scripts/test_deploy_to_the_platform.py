"""`scripts/deploy.py` against the platform that stands in for Heroku, from the commit to the answer."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from deploy_repository import HEROKU_YML, KEY, SERVER, Repository

CRASHES = 'print("no such thing as a server", flush=True)\nraise SystemExit(3)\n'
SLOW_CHECK = """\
import pathlib, sys, time

print("checking", flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
print("checked")
"""


@dataclass
class Platform:
    """The service as a process of its own; after `kill`, `start` runs it at the same address."""

    state: Path
    port: str = "0"
    process: "subprocess.Popen[str]" = field(init=False, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "tutorial.heroku", "--state", str(self.state)]
        self.process = subprocess.Popen(
            [*command, "--port", self.port, "--boot-timeout", "3"],
            env={**os.environ, "HEROKU_API_KEY": KEY},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.port = self.process.stdout.readline().strip().rpartition(":")[2]
        assert self.port, "the platform does not start"

    def kill(self) -> None:
        """End it by SIGKILL, and wait until its dynos are gone, too."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.end()
        psutil.wait_procs(children, 40)

    def end(self) -> None:
        self.process.wait(40)
        if self.process.stdout:
            self.process.stdout.close()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {
            "Accept": "application/vnd.heroku+json; version=3",
            "Authorization": f"Bearer {KEY}",
        }
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that the module's tests share: each has an app of its own there."""
    running = Platform(tmp_path_factory.mktemp("platform") / "state")
    running.start()
    yield running
    running.process.terminate()
    running.end()


@dataclass(frozen=True)
class Deployed:
    """An app on the platform, and the repository that it is deployed from."""

    name: str
    platform: Platform
    repository: Repository

    def model(self) -> str:
        """Return the digest that the app's public address answers with."""
        url = self.platform.ask("GET", f"/apps/{self.name}")["web_url"]
        return str(requests.get(f"{url}model", timeout=90).json()["digest"])

    def releases(self) -> list[str]:
        """Return the descriptions and states of the releases that hold code."""
        found = self.platform.ask("GET", f"/apps/{self.name}/releases")
        return [f"{r['description'].split()[0]} {r['status']}" for r in found if r["slug"]]

    def train(self, digest: str) -> None:
        """Make another model."""
        (self.repository.root / "models" / "sentiment.skops").write_text(digest, encoding="utf-8")


@pytest.fixture
def deployed(platform: Platform, repository: Repository) -> Deployed:
    """An app whose v3 was deployed and serves."""
    name = f"app-{secrets.token_hex(4)}"
    platform.ask("POST", "/apps", {"name": name, "stack": "container"})
    repository.settings.update(HEROKU_APP_NAME=name, HEROKU_API_URL=platform.url)
    said = repository.deploy()
    assert (said.status, said.err) == (0, "")
    assert "checked" in said.out
    return Deployed(name, platform, repository)


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"60 s are over: {what}"
        time.sleep(0.05)


def test_a_deploy_a_second_one_and_the_way_back(deployed: Deployed) -> None:
    assert deployed.model() == "digest-one"
    deployed.train("digest-two")
    said = deployed.repository.deploy()
    assert said.status == 0
    assert "Model digest-two" in said.out
    assert deployed.model() == "digest-two"
    said = deployed.repository.deploy("--rollback")
    assert (said.status, said.err) == (0, "")
    assert deployed.model() == "digest-one"
    assert deployed.repository.deploy("--rollback", "v4").status == 0
    assert deployed.model() == "digest-two"
    said = deployed.repository.deploy("--rollback", "v99")
    assert said.status == 1
    assert "release" in said.err


def test_a_broken_dockerfile_changes_nothing(deployed: Deployed) -> None:
    deployed.repository.commit(Dockerfile="FROM python:3.13-slim\nCOPY nowhere .\nCMD exec true\n")
    said = deployed.repository.deploy()
    assert said.status == 1
    assert said.err.startswith("The build failed: ")
    assert "nowhere" in said.err
    assert said.err.endswith(" v3 is live.\n")
    assert deployed.model() == "digest-one"
    assert deployed.releases() == ["Deploy succeeded"]


def test_a_release_phase_that_fails_changes_nothing(deployed: Deployed) -> None:
    deployed.repository.commit(check__py='raise SystemExit("This model cannot predict.")\n')
    said = deployed.repository.deploy()
    assert said.status == 1
    why = "The release phase of v4 failed: This model cannot predict."
    assert said.err == f"{why} v3 is live.\n"
    assert deployed.model() == "digest-one"
    assert deployed.releases() == ["Deploy succeeded", "Deploy failed"]


@pytest.mark.parametrize("kind", ["crashes", "binds no port"])
def test_a_release_that_is_down_is_rolled_back(deployed: Deployed, kind: str) -> None:
    server = CRASHES if kind == "crashes" else "import time\ntime.sleep(600)\n"
    deployed.repository.commit(server__py=server)
    said = deployed.repository.deploy()
    assert said.status == 1
    assert said.err == "v4 does not serve: its web dyno is crashed. v5 is live.\n"
    assert ("no such thing as a server" if kind == "crashes" else "R10") in said.out
    assert deployed.model() == "digest-one"
    assert deployed.releases() == ["Deploy succeeded", "Deploy succeeded", "Rollback succeeded"]


def test_of_two_deploys_the_later_one_wins(deployed: Deployed) -> None:
    starts_slowly = f"import pathlib, time\nwhile True:\n    time.sleep(0.1)\n{SERVER}"
    deployed.repository.commit(server__py=starts_slowly)
    first = deployed.repository.start()
    until(lambda: len(deployed.releases()) == 2, "the first deploy is released")
    deployed.train("digest-two")
    deployed.repository.commit(server__py=SERVER)
    second = deployed.repository.deploy()
    assert (second.status, second.err) == (0, "")
    said = deployed.repository.end(first)
    assert said.status == 1
    assert "v4 was superseded by v5." in said.err
    assert deployed.model() == "digest-two"
    assert len(deployed.releases()) == 3


@pytest.mark.parametrize("what", ["the platform", "the script"])
def test_a_kill_in_the_release_phase(deployed: Deployed, tmp_path: Path, what: str) -> None:
    go = tmp_path / "go"
    slow = HEROKU_YML.replace("check.py", f"check.py {go}")
    deployed.repository.commit(heroku__yml=slow, check__py=SLOW_CHECK)
    script = deployed.repository.start()
    assert script.stdout
    while "checking" not in (line := script.stdout.readline()):
        assert line, "the script ended before the release phase began"
    if what == "the platform":
        deployed.platform.kill()
        deployed.platform.start()
        said = deployed.repository.end(script)
        assert said.status == 1
        assert said.err.startswith("The release phase of v4 failed: ")
        assert deployed.model() == "digest-one"
        go.touch()
    else:
        script.kill()
        script.communicate()
        go.touch()
        until(lambda: "pending" not in deployed.releases()[-1], "the release goes on by itself")
    deployed.train("digest-two")
    assert deployed.repository.deploy().status == 0
    assert deployed.model() == "digest-two"
