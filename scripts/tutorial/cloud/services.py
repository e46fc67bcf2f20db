"""What the local cloud is made of: each service's command, settings, port and health check."""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutorial.home import Home
from tutorial.serving import free_port

REGION = "eu-west-1"
MARK = "TUTORIAL_SERVICE"  # names the home in the environment of every process of its services
RECORD = "cloud"
S3_HEALTH = "/_ministack/health"


@dataclass(frozen=True)
class Service:
    """One supervised process. `health` is the path that answers 200 once it can be used.

    A service without a port only works: it can be used as soon as it runs. Its command and
    environment name what is in the home by paths relative to it, where it runs.
    """

    name: str
    port: int | None
    health: str
    command: list[str]
    environment: dict[str, str]
    patience: int = 0  # seconds until it has to answer, where it needs more than the others

    @property
    def url(self) -> str:
        """Where it answers, on this machine alone; empty where it has no port."""
        return f"http://127.0.0.1:{self.port}" if self.port else ""


@dataclass(frozen=True)
class Setting:
    """What a home's cloud was given once: a port for each service, and the secrets they were made with."""

    ports: dict[str, int]
    root_key: str
    heroku_key: str


PORTS = {"s3": 4566, "heroku": 5090, "github": 5080}


def folder_of(home: Home) -> Path:
    """Return the folder of everything that the cloud keeps."""
    return home.root / "cloud"


def github_state(home: Home) -> Path:
    """Return the folder of the local GitHub: its repository, its runs, its secrets."""
    return folder_of(home) / "github"


def setting(home: Home) -> Setting | None:
    """Return what this home's cloud was given, or None where it never was up (a copied home's never was)."""
    record = home.recall(RECORD)
    if record is None or record.get("home") != str(home.root):
        return None
    try:
        ports = {name: int(record["ports"].get(name, usual)) for name, usual in PORTS.items()}
        return Setting(ports, str(record["root_key"]), str(record["heroku_key"]))
    except (KeyError, AttributeError, TypeError, ValueError):
        return None  # it is damaged: new keys do no harm, for what is kept is kept without them


def new_setting(home: Home, is_ours: Callable[[int], bool]) -> Setting:
    """Keep and return the home's setting: what it had, with another port where somebody took one.

    `is_ours` tells whether it is this home's own service that listens at a port.
    """
    former = setting(home)
    ports: dict[str, int] = {}
    for name, usual in PORTS.items():
        port = former.ports[name] if former else usual
        ports[name] = port if is_ours(port) else free_port(port)
    made: dict[str, Any] = {
        "ports": ports,
        # Twelve digits, as an account's number has: MiniStack's own way to make its first user.
        "root_key": former.root_key if former else str(10**11 + secrets.randbelow(9 * 10**11)),
        "heroku_key": former.heroku_key if former else secrets.token_urlsafe(32),
    }
    home.record(RECORD, made | {"home": str(home.root)})
    return Setting(**made)


def services(given: Setting) -> list[Service]:
    """Return the services of a home's cloud, in the order in which they are shown."""
    state = folder_of(Home(Path(), Path()))
    return [
        Service(
            "s3",
            given.ports["s3"],
            S3_HEALTH,
            [sys.executable, "-m", "tutorial.cloud.s3"],
            {
                "S3_PORT": str(given.ports["s3"]),
                "S3_FOLDER": str(state / "s3"),
                "S3_ROOT_KEY": given.root_key,
                "AWS_DEFAULT_REGION": REGION,
            },
        ),
        Service(
            "heroku",
            given.ports["heroku"],
            "/_health",
            [
                *(sys.executable, "-m", "tutorial.heroku"),
                *("--port", str(given.ports["heroku"]), "--state", str(state / "heroku")),
            ],
            {"HEROKU_API_KEY": given.heroku_key},
        ),
        Service(
            "github",
            given.ports["github"],
            "/_health",
            [
                *(sys.executable, "-m", "tutorial.github.rest"),
                *("--port", str(given.ports["github"])),
                *("--state", str(github_state(Home(Path(), Path())))),
            ],
            {},
        ),
        Service(
            "runner",
            None,
            "",
            [
                *(sys.executable, "-m", "tutorial.github.runner"),
                *("--state", str(github_state(Home(Path(), Path())))),
            ],
            {},
        ),
    ]
