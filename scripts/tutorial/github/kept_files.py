"""What stands in for `actions/cache` and the artifacts: folders of the runner."""

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from tutorial.github.functions import files_in
from tutorial.github.shims import ActionError, Call
from tutorial.github.site import remove_tree
from tutorial.github.syntax import ExpressionError


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def cache(call: Call) -> None:
    """Restore what was kept under the key; keep it after the job where there was nothing."""
    key, paths = call.inputs["key"].strip(), _lines(call.inputs["path"])
    if not key or "," in key or len(key) > 512:
        raise ActionError("`key` has to be a text of 1 to 512 characters without commas.")
    folder = call.site.state / "caches" / _digest("\n".join(paths))
    prefixes = [key, *_lines(call.inputs.get("restore-keys", ""))]
    kept = {}
    if folder.is_dir():
        for record in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
            kept[str(json.loads(record.read_text(encoding="utf-8"))["key"])] = record
    hit = key if key in kept else None
    for prefix in prefixes:
        hit = hit or next((name for name in reversed(kept) if name.startswith(prefix)), None)
    call.outputs["cache-hit"] = "true" if hit == key else "false" if hit else ""
    call.outputs["cache-primary-key"] = key
    call.outputs["cache-matched-key"] = hit or ""
    if hit is None:
        if call.flag("fail-on-cache-miss", False):
            raise ActionError(f"Nothing is kept under the key {key}.")
        call.say(f"Nothing is kept under the key {key}.")
    elif not call.flag("lookup-only", False):
        with tarfile.open(kept[hit].with_suffix(".tar")) as archive:
            archive.extractall(call.site.root, filter="data")
        call.say(f"Restored what was kept under the key {hit}.")

    def save(well: bool, say: Callable[[str], None]) -> None:
        call.say = say
        if well and hit != key and not call.flag("lookup-only", False):
            _save(call, folder, key, paths)

    call.afterwards = save


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _save(call: Call, folder: Path, key: str, paths: list[str]) -> None:
    root = call.site.root.resolve()
    found = [_place(call, path).resolve() for path in paths]
    for place in found:
        if not place.is_relative_to(root):
            raise ActionError("A cached path leaves the folders of the job.")
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / f"{_digest(key)}.json"
    part = record.with_suffix(f".part{os.getpid()}")
    with tarfile.open(part, "w") as archive:
        for place in found:
            if place.exists():
                archive.add(place, place.relative_to(root))
    part.replace(record.with_suffix(".tar"))
    part.write_text(json.dumps({"key": key}), encoding="utf-8")
    part.replace(record)
    call.say(f"Kept under the key {key}.")


def _place(call: Call, path: str) -> Path:
    if path.startswith("~"):
        return call.site.root / "home" / path.removeprefix("~").lstrip("/")
    return call.site.workspace / path


def artifacts(state: Path, run: int) -> Path:
    """Return the folder of a run's artifacts, one folder each."""
    return state / "artifacts" / str(run)


def _artifact(call: Call, run: int, name: str) -> Path:
    if not name or name in (".", "..") or set(name) & set('"/\\:<>|*?\r\n'):
        raise ActionError(f"{name!r} is no name of an artifact.")
    return artifacts(call.site.state, run) / name


def upload(call: Call) -> None:
    """Keep files of the workspace as an artifact of the run."""
    name = call.inputs.get("name", "").strip() or "artifact"
    target = _artifact(call, call.run["id"], name)
    patterns = [_relative(call, line) for line in _lines(call.inputs["path"])]
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
    if target.exists() and not call.flag("overwrite", False):
        raise ActionError(f"The run has an artifact {name} already: give this one another name.")
    root = _least_common(call.site.workspace, patterns, files)
    part = target.with_name(f".part-{call.site.job}")
    remove_tree(part)
    for file in files:
        copy = part / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    remove_tree(target)
    part.replace(target)
    call.outputs["artifact-id"] = _digest(f"{call.run['id']} {name}")
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
    """Copy an artifact, or several, of this run or of the run `run-id` into the workspace."""
    run = call.inputs.get("run-id", "").strip() or str(call.run["id"])
    if not run.isdecimal():
        raise ActionError(f"`run-id` has to be a number, not {run!r}.")
    kept = artifacts(call.site.state, int(run))
    folder = call.inside(call.inputs.get("path", "").strip())
    name, pattern = (call.inputs.get(key, "").strip() for key in ("name", "pattern"))
    if name:
        chosen = [_artifact(call, int(run), name)]
        if not chosen[0].is_dir():
            raise ActionError(f"The run {run} has no artifact {name}.")
    else:
        chosen = [path for path in sorted(kept.glob(pattern or "*")) if path.is_dir()]
        chosen = [path for path in chosen if not path.name.startswith(".part-")]
    for source in chosen:
        flat = bool(name) or call.flag("merge-multiple", False)
        target = folder if flat else folder / source.name
        shutil.copytree(source, target, dirs_exist_ok=True)
    call.outputs["download-path"] = str(folder)
    call.say(f"{len(chosen)} artifacts of the run {run} are in {folder.name or 'the workspace'}.")
