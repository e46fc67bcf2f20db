"""Heroku's own CLI works with the platform, as it does with Heroku."""

import os
import re
import subprocess
from collections.abc import Callable

import pytest
import requests
from client import Client, small_app

from tests.tutorial.waiting import until
from tutorial.home import PROJECT

PROGRAM = PROJECT / ".tools" / "heroku" / "node_modules" / ".bin" / "heroku"
Cli = Callable[..., str]


@pytest.fixture(scope="module")
def heroku(api: Client, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Run the CLI for the app `cli-app`; give what it prints, and fail the test where it fails."""
    if not PROGRAM.is_file():
        pytest.fail("Heroku's CLI is missing: run `sh scripts/setup.sh test`.")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("person")),
        "HEROKU_HOST": api.url,
        "HEROKU_API_KEY": api.key,
        # Nothing else is to be asked: no telemetry, no newer version, no word about unpaid bills.
        "DISABLE_TELEMETRY": "true",
        "HEROKU_SKIP_NEW_VERSION_CHECK": "true",
        "HEROKU_DISABLE_AUTOUPDATE": "true",
        "HEROKU_PARTICLEBOARD_URL": api.url,
        "NO_COLOR": "1",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [PROGRAM, *arguments, "--app", "cli-app"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def app(api: Client) -> str:
    """The address of `cli-app`, deployed twice: v3 and v4."""
    url = str(api.create("cli-app")["web_url"])
    api.deploy("cli-app", small_app("one"), "1111111111")
    api.deploy("cli-app", small_app("two"), "2222222222")
    until(lambda: answer(url) == "two", "it answers")
    return url


def answer(url: str) -> object:
    """What the app answers."""
    return requests.get(url, timeout=60).json()["text"]


def test_it_tells_of_the_app(heroku: Cli, app: str) -> None:
    said = heroku("apps:info")
    assert re.search(rf"Web URL: +{re.escape(app)}", said)
    assert re.search(r"Stack: +container", said)
    assert re.search(r"Dynos: +web: 1", said)


def test_it_lists_dynos(heroku: Cli, app: str) -> None:
    said = heroku("ps")
    assert "=== web (Basic): exec python3 server.py (1)" in said
    assert "web.1: up" in said


def test_it_shows_logs(heroku: Cli, app: str) -> None:
    lines = heroku("logs", "--num", "5", "--source", "app").splitlines()
    assert len([line for line in lines if "app[" in line]) == 5
    assert "app[web.1]: the app begins" in lines[-1]


def test_it_configures_and_goes_back(heroku: Cli, app: str, api: Client) -> None:
    assert re.search(r"done, v5\b", heroku("config:set", "GREETING=hello"))
    assert re.search(r"GREETING: +hello", heroku("config"))
    until(lambda: requests.get(app, timeout=60).json()["greeting"] == "hello", "the dyno has it")

    said = heroku("releases:rollback", "v3")
    assert "Rolling back cli-app to v3... done, v6" in said
    until(lambda: answer(app) == "one", "the former release answers")
    assert api.get("/apps/cli-app/config-vars") == {}

    said = heroku("releases")
    assert "Current: v6" in said
    listed = re.findall(r"^ *v(\d+) +(.*?) {2,}", said, re.MULTILINE)
    assert listed == [
        ("6", "Rollback to v3"),
        ("5", "Set GREETING config vars"),
        ("4", "Deploy 22222222"),
        ("3", "Deploy 11111111"),
        ("2", "Enable Logplex"),
        ("1", "Initial release"),
    ]


def test_it_says_what_the_platform_says_is_wrong(heroku: Cli, app: str) -> None:
    with pytest.raises(AssertionError, match="must be 0 or 1"):
        heroku("ps:scale", "web=5")
