"""What stands in for `actions/cache`: a folder of the runner."""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from tutorial.github.repository import DEFAULT_BRANCH
from tutorial.github.shims import ActionError, Call


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def cache(call: Call) -> None:
    """Restore what was kept under the key; keep it after the job where there was nothing."""
    key, paths = call.inputs["key"].strip(), lines(call.inputs["path"])
    if not key or "," in key or len(key) > 512:
        raise ActionError("`key` has to be a text of 1 to 512 characters without commas.")
    # As on GitHub, a run sees what its own ref keeps, and what the base does: main nothing of a pull request.
    own, *others = (_folder(call, ref, paths) for ref in _scopes(call))
    prefixes = [key, *lines(call.inputs.get("restore-keys", ""))]
    hit, kept = None, {}
    for folder in (own, *others):
        kept = _kept(folder)
        hit = key if key in kept else None
        for prefix in prefixes:
            hit = hit or next((name for name in reversed(kept) if name.startswith(prefix)), None)
        if hit is not None:
            break
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
            _save(call, own, key, paths)

    call.afterwards = save


def _scopes(call: Call) -> list[str]:
    """Return the refs whose caches a run sees, its own first."""
    request = json.loads(call.run["payload"]).get("pull_request") or {}
    base = [f"refs/heads/{request['base']['ref']}"] if request else []
    return list(dict.fromkeys([call.run["ref"], *base, f"refs/heads/{DEFAULT_BRANCH}"]))


def _folder(call: Call, ref: str, paths: list[str]) -> Path:
    return call.site.state / "caches" / _digest(ref) / _digest("\n".join(paths))


def _kept(folder: Path) -> dict[str, Path]:
    """Return what is kept there by its key, the newest last."""
    found = {}
    if folder.is_dir():
        for record in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
            found[str(json.loads(record.read_text(encoding="utf-8"))["key"])] = record
    return found


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
