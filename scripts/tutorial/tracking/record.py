"""What a home knows of its tracking server: where it is, whose keys it has, and its password."""

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from tutorial.home import Home

RECORD = "tracking"
USER = "mlflow"
PORTS = {"mlflow": 5051, "nginx": 5050}  # not 5000: macOS has it
HTPASSWD = Path("etc/nginx/mlflow.htpasswd")
BLOCK = Path("etc/nginx/conf.d/mlflow.conf")
ENVIRONMENT = Path("etc/mlflow/environment")
UNIT = Path("etc/systemd/system/mlflow.service")


@dataclass(frozen=True)
class Tracking:
    """A tracking server: its ports, S3's, its bucket, the profile of its keys, and its password."""

    ports: dict[str, int]
    s3: int
    bucket: str
    profile: str
    password: str

    @property
    def uri(self) -> str:
        """Where it answers, on this machine alone."""
        return f"http://127.0.0.1:{self.ports['nginx']}"

    def environment(self) -> dict[str, str]:
        """Return what MLflow's clients need."""
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self.password,
        }


def root_of(home: Home) -> Path:
    """Return the folder that is to the server what / is to one with a machine of its own."""
    return home.root / "cloud" / "tracking"


def new_password() -> str:
    """Return a password that nobody guesses."""
    return secrets.token_urlsafe(32)


def keep(home: Home, tracking: Tracking) -> None:
    """Keep the record of a server that is installed."""
    home.record(RECORD, asdict(tracking) | {"home": str(home.root)})


def former(home: Home) -> Tracking | None:
    """Return what was recorded here, or in the home of which this one is a copy."""
    record = home.recall(RECORD)
    try:
        ports = {name: int(record["ports"].get(name, usual)) for name, usual in PORTS.items()}  # type: ignore[index]
        texts = [str(record[name]) for name in ("bucket", "profile", "password")]  # type: ignore[index]
        return Tracking(ports, int(record["s3"]), *texts)  # type: ignore[index]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def tracking(home: Home) -> Tracking | None:
    """Return this home's server, or None where milestone 4 has not installed one."""
    record = home.recall(RECORD)
    return former(home) if record and record.get("home") == str(home.root) else None
