"""What stands in for the artifacts of runs: zip files, each with a row in the store."""

import hashlib
import os
import shutil
import time
import zipfile
from pathlib import Path, PurePosixPath

from tutorial.github.functions import files_in
from tutorial.github.kept_files import lines
from tutorial.github.repository import Repository
from tutorial.github.shims import ActionError, Call
from tutorial.github.store import Row, Store
from tutorial.github.syntax import ExpressionError
from tutorial.github.tokens import actor_of

LARGEST = 500 * 1024 * 1024  # bytes unpacked


def artifacts_of(store: Store, run: int) -> list[Row]:
    """Return the artifacts of a run."""
    return store.rows("SELECT * FROM artifacts WHERE run = ? ORDER BY id", run)


def archive_of(store: Store, artifact: Row) -> Path:
    """Return the zip file of an artifact."""
    return store.state / "artifacts" / str(artifact["run"]) / f"{artifact['digest']}.zip"


def keep(store: Store, run: int, name: str, archive: Path) -> Row:
    """Take a zip file as an artifact of a run, in place of the one that had its name; return its row."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    row: Row = {"run": run, "name": name, "size": archive.stat().st_size, "digest": digest}
    place = archive_of(store, row)
    place.parent.mkdir(parents=True, exist_ok=True)
    archive.replace(place)
    store.delete("artifacts", run=run, name=name)
    made = store.insert("artifacts", **row, created=time.time())
    return {**row, "id": made}


def _check_name(name: str) -> str:
    if not name or name in (".", "..") or set(name) & set('"/\\:<>|*?\r\n'):
        raise ActionError(f"{name!r} is no name of an artifact.")
    return name


def upload(call: Call) -> None:
    """Keep files of the workspace as an artifact of the run."""
    name = _check_name(call.inputs.get("name", "").strip() or "artifact")
    patterns = [_relative(call, line) for line in lines(call.inputs["path"])]
    try:
        files = files_in(call.site.workspace, patterns)
    except ExpressionError as error:
        raise ActionError(f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    if not call.flag("include-hidden-files", False):
        files = [
            file
            for file in files
            if not any(p.startswith(".") for p in file.relative_to(call.site.workspace).parts)
        ]
    if not files:
        _nothing_found(call)
        return
    there = [one["name"] for one in artifacts_of(call.store, call.run["id"])]
    if name in there and not call.flag("overwrite", False):
        raise ActionError(f"The run has an artifact {name} already: give this one another name.")
    root = _least_common(call.site.workspace, patterns, files)
    part = call.site.root / "artifact.zip"
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    kept = keep(call.store, call.run["id"], name, part)
    call.outputs["artifact-id"] = str(kept["id"])
    call.outputs["artifact-digest"] = kept["digest"]
    call.say(f"{len(files)} files are kept as the artifact {name}.")


def _relative(call: Call, pattern: str) -> str:
    """Return a pattern without the workspace's own path in front of it."""
    away = "!" if pattern.startswith("!") else ""
    return away + pattern.removeprefix("!").removeprefix(f"{call.site.workspace}/")


def _least_common(workspace: Path, patterns: list[str], files: list[Path]) -> Path:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    if len(wanted) == 1:
        whole = workspace / wanted[0]
        return whole if whole.is_dir() else Path(os.path.commonpath([f.parent for f in files]))
    return Path(os.path.commonpath([file.parent for file in files]))


def _nothing_found(call: Call) -> None:
    how = call.inputs.get("if-no-files-found", "").strip() or "warn"
    if how not in ("warn", "error", "ignore"):
        raise ActionError(f"`if-no-files-found` has to be warn, error or ignore, not {how!r}.")
    if how == "error":
        raise ActionError("No file is there at `path`: nothing is kept.")
    if how == "warn":
        call.say("Warning: no file is there at `path`: nothing is kept.")


def download(call: Call) -> None:
    """Unpack an artifact, or several, of this run; with `github-token`, of the run `run-id`."""
    run = call.inputs.get("run-id", "").strip() or str(call.run["id"])
    if not run.isdecimal():
        raise ActionError(f"`run-id` has to be a number, not {run!r}.")
    repository = call.inputs.get("repository", "").strip()
    if repository not in ("", Repository(call.site.state).full_name):
        raise ActionError(f"There is no repository {repository} here.")
    token = call.inputs.get("github-token", "").strip()
    if token:
        actor = actor_of(call.store, token)
        if actor is None:
            raise ActionError("Bad credentials: `github-token` is unknown, revoked or expired.")
        if not actor.may("actions", "read"):
            raise ActionError(
                "Resource not accessible by integration: `github-token` needs `actions: read`."
            )
    elif int(run) != call.run["id"]:
        # The real action silently looks in its own run then.
        raise ActionError(f"The artifacts of the run {run} are to be had with a `github-token`.")
    folder = call.inside(call.inputs.get("path", "").strip())
    name, pattern = (call.inputs.get(key, "").strip() for key in ("name", "pattern"))
    chosen = artifacts_of(call.store, int(run))
    if name:
        chosen = [one for one in chosen if one["name"] == _check_name(name)]
        if not chosen:
            raise ActionError(f"The run {run} has no artifact {name}.")
    elif pattern:
        chosen = [one for one in chosen if PurePosixPath(one["name"]).match(pattern)]
    for one in chosen:
        flat = bool(name) or call.flag("merge-multiple", False)
        _unpack(archive_of(call.store, one), folder if flat else folder / one["name"])
    call.outputs["download-path"] = str(folder)
    call.say(f"{len(chosen)} artifacts of the run {run} are in {folder.name or 'the workspace'}.")


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a zip file that anybody may have made."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(one.file_size for one in entries) > LARGEST:
                raise ActionError("The artifact is larger than 500 MB unpacked.")
            for one in entries:
                if not (folder / one.filename).resolve().is_relative_to(folder.resolve()):
                    raise ActionError(f"Malicious entry: {one.filename}")
            for one in entries:
                if one.is_dir():
                    continue
                target = folder / one.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(one) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ActionError(f"The artifact cannot be unpacked: {error}.") from None
