"""The store of runs, backed up to the bucket and brought back, while the server goes on."""

import hashlib
import os
import sqlite3
import tempfile
import time
from argparse import ArgumentParser, Namespace
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from tracking_account import SetupError

STORE = "var/lib/mlflow/mlflow.db"
KEY = "backups/mlflow.db"  # one key: the bucket keeps its versions
PATIENCE = 60  # seconds that a write of the server's may take
BUSY = (5, 6)  # SQLITE_BUSY and SQLITE_LOCKED
say = partial(print, flush=True)


def add_arguments(parser: ArgumentParser) -> None:
    """Take from the command line what `backup` and `restore` read."""
    parser.add_argument("--bucket", required=True, help="where the backups are, below backups/")
    parser.add_argument("--root", type=Path, default=Path("/"), help="what `host` was given")


def backup(args: Namespace) -> None:
    """Upload the store as it is at one moment, with all that was acknowledged. Raises `SetupError`."""
    store = args.root / STORE
    if not store.exists():
        raise SetupError(f"There is no store of runs at {store}: run `host` first.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        try:
            _copy(store, copy)
        except sqlite3.DatabaseError as error:
            raise SetupError(f"{store} is damaged ({error}): `restore` the last backup.") from None
        said = _holds(copy)
        s3: Any = boto3.client("s3")
        digest = hashlib.sha256(copy.read_bytes()).hexdigest()
        # Every quarter of an hour, and each upload is a version that is kept.
        if _is_there(s3, args.bucket):
            former = s3.head_object(Bucket=args.bucket, Key=KEY)["Metadata"].get("sha256")
            if former == digest:
                say(f"Nothing has changed: {said} are at s3://{args.bucket}/{KEY}.")
                return
        with copy.open("rb") as content:
            s3.put_object(Bucket=args.bucket, Key=KEY, Body=content, Metadata={"sha256": digest})
    say(f"Backed up {said} to s3://{args.bucket}/{KEY}.")


def restore(args: Namespace) -> None:
    """Put the backup in the store's place, at once or not at all. Raises `SetupError`."""
    if not restored(args.bucket, args.root / STORE):
        raise SetupError(f"There is no backup at s3://{args.bucket}/{KEY}: run `backup` first.")


def restored(bucket: str, store: Path) -> bool:
    """Bring the backup back; tell whether there is one."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        s3: Any = boto3.client("s3")
        if not _is_there(s3, bucket):
            return False
        s3.download_file(bucket, KEY, str(copy))
        said = _holds(copy)
        try:
            _copy(copy, store)
        except sqlite3.DatabaseError:  # what is there is none any more
            store.replace(store.with_name("mlflow.db.damaged"))
            _copy(copy, store)
    its = store.parent.stat()
    os.chown(store, its.st_uid, its.st_gid)
    store.chmod(0o600)
    say(f"Restored {said} from s3://{bucket}/{KEY}.")
    return True


def _is_there(s3: Any, bucket: str) -> bool:
    """Tell whether there is a backup. To ask for it would not: who may not list all gets 403, not 404."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=KEY)
    return any(item["Key"] == KEY for item in listed.get("Contents", []))


def _copy(source: Path, target: Path) -> None:
    """Copy a database into another, in one transaction: its users see the one or the other.

    Raises `SetupError` where it is busy or there is no room, `sqlite3.DatabaseError` where one is damaged.
    """
    deadline = time.monotonic() + PATIENCE

    def mind(status: int, left: int, pages: int) -> None:
        if status in BUSY and time.monotonic() > deadline:
            raise sqlite3.OperationalError("it is in use")

    try:
        with (
            closing(sqlite3.connect(source, timeout=PATIENCE)) as read,
            closing(sqlite3.connect(target, timeout=PATIENCE)) as written,
        ):
            read.backup(written, progress=mind)  # which tries again by itself, for ever
    except sqlite3.OperationalError as error:
        raise SetupError(f"{source} cannot be copied to {target}: {error}: try again.") from None


def _holds(copy: Path) -> str:
    """Say how many runs a copy holds. Raises `SetupError` where it is damaged, or none of MLflow's."""
    try:
        with closing(sqlite3.connect(copy)) as database:
            (health,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (runs,) = database.execute("SELECT count(*) FROM runs").fetchone()
    except sqlite3.DatabaseError as error:
        health = str(error)
    if health != "ok":
        raise SetupError(f"The copy is damaged, so nothing was changed: {health}.")
    return f"{runs:,} runs ({copy.stat().st_size / 1e6:.1f} MB)"
