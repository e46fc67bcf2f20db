"""What the tracking server says of runs and of the champion, asked as anybody asks: over MLflow's REST API."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.tracking.record import Tracking, tracking

TIMEOUT = 30  # seconds
API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
NAME, ALIAS = "sentiment", "champion"  # of the registered model, and of the version that is live
PAGE = 1000  # runs that one answer holds at most
FINISHED = "FINISHED"


def ask(server: Tracking, method: str, path: str, **how: Any) -> requests.Response:
    """Ask the server, with its password unless `auth` says otherwise. Raises `TutorialError`."""
    given = server.environment()
    login = given["MLFLOW_TRACKING_USERNAME"], given["MLFLOW_TRACKING_PASSWORD"]
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy nor .netrc has a say here
        try:
            return session.request(
                method, server.uri + path, timeout=TIMEOUT, **{"auth": login, **how}
            )
        except requests.RequestException as error:
            raise TutorialError(f"{server.uri} does not answer ({type(error).__name__}).") from None


@dataclass(frozen=True)
class Run:
    """A run as MLflow tells of it. `trained_on` are the digests of the data sets it was trained on."""

    run_id: str
    status: str
    experiment: str
    place: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    trained_on: tuple[str, ...]

    @classmethod
    def told(cls, run: Mapping[str, Any]) -> "Run":
        """Read what the API says of a run. A figure that is no number is left out."""
        info, data = run["info"], run.get("data", {})
        pairs = {
            kind: {each["key"]: each.get("value", "") for each in data.get(kind, [])}
            for kind in ("params", "metrics", "tags")
        }
        metrics = {name: float(value) for name, value in pairs["metrics"].items()}
        inputs = run.get("inputs", {}).get("dataset_inputs", [])
        context = {"key": "mlflow.data.context", "value": "training"}
        return cls(
            info["run_id"],
            info["status"],
            info["experiment_id"],
            info.get("artifact_uri", ""),
            pairs["params"],
            {name: value for name, value in metrics.items() if math.isfinite(value)},
            pairs["tags"],
            tuple(i["dataset"]["digest"] for i in inputs if context in i.get("tags", [])),
        )


@dataclass(frozen=True)
class Version:
    """A version of the registered model: its number, the run that trained it, and its tags."""

    number: str
    run_id: str
    tags: Mapping[str, str]

    @classmethod
    def told(cls, version: Mapping[str, Any]) -> "Version":
        """Read what the API says of a version."""
        tags = {tag["key"]: tag.get("value", "") for tag in version.get("tags", [])}
        return cls(version["version"], version.get("run_id", ""), tags)


class TrackingApi:
    """The tracking server of a home, read only. Whatever is asked raises `TutorialError` in a sentence."""

    def __init__(self, home: Home) -> None:
        server = tracking(home)
        if server is None:
            raise TutorialError("There is no tracking server here.")
        self.server = server

    def run(self, run_id: str) -> Run:
        """Return the run of that id."""
        missing = f"MLflow knows no run {run_id!r}."
        return Run.told(self._told("GET", "/runs/get", missing, params={"run_id": run_id})["run"])

    def finished_runs(self, experiment: str) -> list[Run]:
        """Return an experiment's runs that ended well, the newest first."""
        body: dict[str, Any] = {
            "experiment_ids": [experiment],
            "filter": f"attributes.status = '{FINISHED}'",
            "order_by": ["attributes.start_time DESC"],
            "max_results": PAGE,
        }
        found: list[Run] = []
        while True:
            said = self._told("POST", "/runs/search", f"No experiment {experiment}.", json=body)
            found += map(Run.told, said.get("runs", []))
            if not said.get("next_page_token"):
                return found
            body["page_token"] = said["next_page_token"]

    def champion(self) -> Version:
        """Return the version that is champion."""
        said = self._told(
            "GET",
            "/registered-models/alias",
            f"No version of {NAME} is {ALIAS}.",
            params={"name": NAME, "alias": ALIAS},
        )
        return Version.told(said["model_version"])

    def versions(self) -> list[Version]:
        """Return every version of the registered model, the newest first."""
        asked: dict[str, Any] = {"filter": f"name='{NAME}'", "max_results": PAGE}
        found: list[Version] = []
        while True:
            said = self._told("GET", "/model-versions/search", f"No {NAME}.", params=asked)
            found += map(Version.told, said.get("model_versions", []))
            if not said.get("next_page_token"):
                return sorted(found, key=lambda version: -int(version.number))
            asked["page_token"] = said["next_page_token"]

    def files(self, run: Run, folder: str = "") -> list[str]:
        """Return the paths of what a run left in one of its folders."""
        asked = {"run_id": run.run_id} | ({"path": folder} if folder else {})
        missing = f"Run {run.run_id} left no files."
        said = self._told("GET", "/artifacts/list", missing, params=asked)
        return [file["path"] for file in said.get("files", [])]

    def file(self, run: Run, path: str) -> bytes:
        """Return the content of a file that a run left."""
        return self._content(f"{run.place}/{path}")

    def model_file(self, version: Version) -> bytes:
        """Return the content of a version's model.skops."""
        place = self._told(
            "GET",
            "/model-versions/get-download-uri",
            f"Version {version.number} has no artifacts.",
            params={"name": NAME, "version": version.number},
        )["artifact_uri"]
        return self._content(f"{place}/model.skops")

    def _content(self, place: str) -> bytes:
        got = ask(self.server, "GET", f"{ARTIFACTS}/{place.partition(':/')[2].lstrip('/')}")
        if not got.ok:
            raise TutorialError(f"{place} cannot be had ({got.status_code}).")
        return got.content

    def _told(self, method: str, path: str, missing: str, **how: Any) -> dict[str, Any]:
        """Ask MLflow; say `missing` where it does not know what was asked for."""
        got = ask(self.server, method, API + path, **how)
        try:
            said: dict[str, Any] = got.json()
            problem = said.get("error_code")
        except (ValueError, AttributeError):
            raise TutorialError(
                f"MLflow does not answer ({got.status_code} from {self.server.uri})."
            ) from None
        # The second is what the registry says of an alias that it does not have.
        if problem in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise TutorialError(missing)
        if not got.ok:
            raise TutorialError(f"MLflow answers {got.status_code} ({problem}).")
        return said
