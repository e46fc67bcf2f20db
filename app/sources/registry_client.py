"""MLflow's client, as patient as a server with visitors can be, and the files of versions."""

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.sources import SourceError

FILE = "model.skops"  # among a version's artifacts: `mlflow.sklearn` calls it so
LARGEST = 100_000_000  # bytes: no model that a small server can hold in memory is larger
KEPT = 3  # files of versions: to go back to one of them takes no download
# The client's own settings, where nobody chose others. It gives up in seconds instead of minutes,
# draws no bars into the log of a server, and tells nobody that it is used.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",  # seconds
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@cache
def client() -> Any:
    """Return the client of the server that MLFLOW_TRACKING_URI names. Raises `SourceError`."""
    if "://" not in os.environ.get("MLFLOW_TRACKING_URI", ""):
        raise SourceError("MLFLOW_TRACKING_URI is no address: set it as https://HOST.")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # here: MLflow reads some of them when it is imported

    return MlflowClient()


def file_of(version: Any) -> Path:
    """Return the file of a version, with the sha256 that its tag says. Raises `SourceError`.

    It stays until `KEPT` others were fetched.
    """
    name, digest = f"Version {version.version} of {version.name}", version.tags.get("file_sha256")
    if not re.fullmatch("[0-9a-f]{64}", digest or ""):
        raise SourceError(f"{name} has no tag file_sha256: register it as `train` does.")
    folder = Path(_folder().name)
    folder.mkdir(mode=0o700, exist_ok=True)  # somebody may have tidied up
    path = folder / f"{digest}.skops"
    if not path.is_file() or _sha256(path) != digest:
        with TemporaryDirectory(dir=folder) as part:
            got = _download(version, name, part)
            if _sha256(got) != digest:
                raise SourceError(f"{name} is damaged: its file is not the one that was logged.")
            got.replace(path)
    path.touch()
    for old in sorted(folder.glob("*.skops"), key=lambda file: file.stat().st_mtime_ns)[:-KEPT]:
        old.unlink()
    return path


def _download(version: Any, name: str, folder: str) -> Path:
    from mlflow import artifacts

    place = client().get_model_version_download_uri(version.name, version.version)
    files = artifacts.list_artifacts(place)
    sizes = {Path(file.path).name: file.file_size or 0 for file in files}
    if FILE not in sizes:
        raise SourceError(f"{name} has no file {FILE} among its artifacts: log a skops model.")
    if sizes[FILE] > LARGEST:
        raise SourceError(f"{name} has {sizes[FILE]:,} bytes, more than {LARGEST:,}: shrink it.")
    return Path(artifacts.download_artifacts(f"{place}/{FILE}", dst_path=folder))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="models-")  # removed when Python ends in good order
