"""The files of the tracking server's machine: filled templates, the password's hash, written whole."""

import base64
import hashlib
import os
import re
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from tracking_account import SetupError

INFRA = Path(__file__).parents[1] / "infra"
ASKED = re.compile(r"@([A-Z_]+)@")
# What led us to the bucket leads the server there. Keys are none of it: a role has them, or a profile.
LEADING = (
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
SALT = 16  # bytes, after the 20 of SHA-1


def filled(name: str, values: Mapping[str, str], keep: str = "tls") -> str:
    """Return a template of infra/ with its words filled in; of the lines marked, those of one kind."""
    template = (INFRA / name).read_text(encoding="utf-8")
    lines = []
    for line in template.splitlines():
        text, _, mark = line.rpartition("  # ")
        if mark in ("tls", "plain"):
            line = text
        if mark not in ("tls", "plain") or mark == keep:
            lines.append(line)
    text = "\n".join(lines) + "\n"
    unknown = [word for word in ASKED.findall(text) if word not in values]
    if unknown:
        raise SetupError(f"infra/{name} asks for @{unknown[0]}@, which nobody gives: correct it.")
    return ASKED.sub(lambda word: values[word[1]], text)


def environment(given: Mapping[str, str]) -> str:
    """Return the file of settings that leads the server to its bucket, in systemd's syntax."""
    return "".join(f"{name}={shlex.quote(given[name])}\n" for name in LEADING if given.get(name))


def hashed(user: str, password: str, former: str) -> str:
    """Return nginx's file of users: the former one where it is right, else one with a new salt.

    {SSHA} is nginx's own on every system, and quick: it is asked at each request. Slow hashes guard
    passwords that can be guessed, and this one cannot.
    """
    kept = re.fullmatch(rf"{user}:{{SSHA}}([\w+/]{{48}})\n", former, re.ASCII)
    salt = base64.b64decode(kept[1])[-SALT:] if kept else secrets.token_bytes(SALT)
    digest = hashlib.sha1(password.encode() + salt).digest()  # noqa: S324
    return f"{user}:{{SSHA}}{base64.b64encode(digest + salt).decode()}\n"


def read(path: Path) -> str:
    """Return what a file holds, or "" where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write(path: Path, text: str, mode: int = 0o644, group: int = -1) -> bool:
    """Write a file, whole or not at all, if it is not so already; say and tell whether it was written."""
    same = path.exists() and read(path) == text and path.stat().st_mode & 0o777 == mode
    print(f"  {'as it was' if same else 'written  '}  {path}", flush=True)
    if same:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    os.chown(part, -1, group)
    part.chmod(mode)
    part.replace(path)
    return True
