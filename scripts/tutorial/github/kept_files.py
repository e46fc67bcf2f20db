"""What stands in for `actions/cache`: a folder of the runner."""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from tutorial.github.shims import ActionError, Call


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def cache(call: Call) -> None:
    """Restore what was kept under the key; keep it after the job where there was nothing."""
    key, paths = call.inputs["key"].strip(), lines(call.inputs["path"])
    if not key or "," in key or len(key) > 512:
        raise ActionError("`key` has to be a text of 1 to 512 characters without commas.")
    folder = call.site.state / "caches" / _digest("\n".join(paths))
    prefixes = [key, *lines(call.inputs.get("restore-keys", ""))]
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
