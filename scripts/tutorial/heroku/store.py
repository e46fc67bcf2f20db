"""The platform's memory: apps, releases, builds, slugs and sources in SQLite. What is returned is on disk."""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from tutorial.heroku.records import App, Build, Release, Slug, new_id, now

VERSION = 1
SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE apps (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, stack TEXT NOT NULL, build_stack TEXT NOT NULL,
  config TEXT NOT NULL, port INTEGER NOT NULL, quantity INTEGER NOT NULL, created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL, released_at TEXT, formed_at TEXT);
CREATE TABLE slugs (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, image_id TEXT NOT NULL,
  command TEXT NOT NULL, release_command TEXT, revision TEXT, revision_description TEXT,
  checksum TEXT NOT NULL, size INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE releases (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, version INTEGER NOT NULL,
  description TEXT NOT NULL, status TEXT NOT NULL, slug_id TEXT, config TEXT NOT NULL,
  has_output INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  UNIQUE (app_id, version));
CREATE TABLE builds (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, status TEXT NOT NULL,
  url TEXT NOT NULL, checksum TEXT, revision TEXT, revision_description TEXT, slug_id TEXT,
  release_id TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE sources (id TEXT PRIMARY KEY, expires REAL NOT NULL);
"""
INSERTS = {
    "apps": "INSERT INTO apps VALUES (:id, :name, :stack, :build_stack, :config, :port, :quantity, "
    ":created_at, :updated_at, :released_at, :formed_at)",
    "slugs": "INSERT INTO slugs VALUES (:id, :app_id, :image_id, :command, :release_command, "
    ":revision, :revision_description, :checksum, :size, :created_at)",
    "releases": "INSERT INTO releases VALUES (:id, :app_id, :version, :description, :status, "
    ":slug_id, :config, :has_output, :created_at, :updated_at)",
    "builds": "INSERT INTO builds VALUES (:id, :app_id, :status, :url, :checksum, :revision, "
    ":revision_description, :slug_id, :release_id, :created_at, :updated_at)",
}


class StoreError(Exception):
    """The state cannot be opened. The message is one sentence."""


Record = TypeVar("Record", App, Slug, Release, Build)


class Store:
    """One file; every change is on disk when its method returns."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises `StoreError` if it is no such file."""
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreError(
                f"The platform's state {path} cannot be read ({error}): run `tutorial reset`."
            ) from None
        if version not in (0, VERSION):
            self._db.close()
            raise StoreError(
                f"The platform's state {path} is of another release: run `tutorial reset`."
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make all changes of the block, or none."""
        if self._db.in_transaction:  # the outermost block decides
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def secret(self, name: str) -> str:
        """Return a secret of that name: the same one every time."""
        self._db.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING", (name, secrets.token_hex())
        )
        row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return str(row["value"])

    # --- apps

    def add_app(self, app: App) -> None:
        """Keep a new app. Raises `sqlite3.IntegrityError` if its name is taken."""
        self._insert("apps", app)

    def apps(self) -> list[App]:
        """Return all apps, by name."""
        return self._all(App, "SELECT * FROM apps ORDER BY name")

    def app(self, identity: str) -> App | None:
        """Return the app of that id or name."""
        return self._one(App, "SELECT * FROM apps WHERE ? IN (id, name)", identity)

    def change_app(
        self,
        app_id: str,
        *,
        name: str | None = None,
        build_stack: str | None = None,
        port: int | None = None,
        quantity: int | None = None,
    ) -> None:
        """Change what is not None."""
        self._db.execute(
            "UPDATE apps SET name = coalesce(?, name), build_stack = coalesce(?, build_stack), "
            "port = coalesce(?, port), quantity = coalesce(?, quantity), updated_at = ? WHERE id = ?",
            (name, build_stack, port, quantity, now(), app_id),
        )

    def remove_app(self, app_id: str) -> None:
        """Forget an app and all that belongs to it."""
        self._db.execute("DELETE FROM apps WHERE id = ?", (app_id,))

    # --- slugs and releases

    def slug(self, slug_id: str | None) -> Slug | None:
        """Return a slug."""
        return self._one(Slug, "SELECT * FROM slugs WHERE id = ?", slug_id)

    def add_release(
        self,
        app_id: str,
        description: str,
        status: str,
        slug_id: str | None,
        config: Mapping[str, str],
        has_output: bool = False,
    ) -> Release:
        """Number and keep a release, and make its configuration the app's."""
        stamp = now()
        with self.together():
            row = self._db.execute(
                "SELECT coalesce(max(version), 0) FROM releases WHERE app_id = ?", (app_id,)
            ).fetchone()
            release = Release(
                new_id(), app_id, row[0] + 1, description, status, slug_id, dict(config),
                has_output, stamp, stamp,
            )  # fmt: skip
            self._insert("releases", release)
            self._db.execute(
                "UPDATE apps SET config = ?, updated_at = ? WHERE id = ?",
                (json.dumps(dict(config)), stamp, app_id),
            )
            self._mark_released(app_id, status, stamp)
        return release

    def repoint(self, release: Release, slug_id: str | None) -> Release:
        """A release that is pending is to be one of another slug."""
        self._db.execute("UPDATE releases SET slug_id = ? WHERE id = ?", (slug_id, release.id))
        return replace(release, slug_id=slug_id)

    def finish_release(self, release: Release, status: str) -> None:
        """A release that was pending has succeeded or failed."""
        stamp = now()
        with self.together():
            self._db.execute(
                "UPDATE releases SET status = ?, updated_at = ? WHERE id = ?",
                (status, stamp, release.id),
            )
            self._mark_released(release.app_id, status, stamp)

    def _mark_released(self, app_id: str, status: str, stamp: str) -> None:
        if status == "succeeded":
            self._db.execute("UPDATE apps SET released_at = ? WHERE id = ?", (stamp, app_id))

    def releases(self, app_id: str) -> list[Release]:
        """Return an app's releases, oldest first."""
        return self._all(
            Release, "SELECT * FROM releases WHERE app_id = ? ORDER BY version", app_id
        )

    def release(self, app_id: str, identity: str) -> Release | None:
        """Return the app's release of that id or version (`3` or `v3`)."""
        return self._one(
            Release,
            "SELECT * FROM releases WHERE app_id = ? AND ? IN (id, CAST(version AS TEXT))",
            app_id,
            identity.removeprefix("v"),
        )

    def current_release(self, app_id: str) -> Release | None:
        """Return the release that the app's dyno runs: the last that succeeded."""
        return self._one(
            Release,
            "SELECT * FROM releases WHERE app_id = ? AND status = 'succeeded' "
            "ORDER BY version DESC LIMIT 1",
            app_id,
        )

    # --- builds

    def add_build(self, build: Build) -> None:
        """Keep a new build."""
        self._insert("builds", build)

    def builds(self, app_id: str) -> list[Build]:
        """Return an app's builds, oldest first."""
        return self._all(Build, "SELECT * FROM builds WHERE app_id = ? ORDER BY rowid", app_id)

    def build(self, app_id: str, build_id: str) -> Build | None:
        """Return one of the app's builds."""
        return self._one(
            Build, "SELECT * FROM builds WHERE app_id = ? AND id = ?", app_id, build_id
        )

    def fail_build(self, build: Build) -> None:
        """A build has failed."""
        self._db.execute(
            "UPDATE builds SET status = 'failed', updated_at = ? WHERE id = ?", (now(), build.id)
        )

    def finish_build(
        self, build: Build, slug: Slug, description: str, release_status: str
    ) -> Release:
        """A build has succeeded: its slug, its release and the app's formation exist from now on."""
        with self.together():
            app = self.app(build.app_id)
            if app is None:  # the caller has seen it a moment ago, in the same turn of the loop
                raise LookupError(build.app_id)
            self._insert("slugs", slug)
            release = self.add_release(
                app.id, description, release_status, slug.id, app.config, bool(slug.release_command)
            )
            self._db.execute(
                "UPDATE builds SET status = 'succeeded', slug_id = ?, release_id = ?, "
                "updated_at = ? WHERE id = ?",
                (slug.id, release.id, now(), build.id),
            )
            # As on Heroku: an app is scaled to one web dyno when it is deployed for the first time.
            self._db.execute(
                "UPDATE apps SET stack = build_stack, "
                "quantity = CASE WHEN formed_at IS NULL THEN 1 ELSE quantity END, "
                "formed_at = coalesce(formed_at, ?) WHERE id = ?",
                (now(), app.id),
            )
        return release

    def pending(self) -> tuple[list[Build], list[Release]]:
        """Return the builds and releases that are under way."""
        return (
            self._all(Build, "SELECT * FROM builds WHERE status = 'pending'"),
            self._all(Release, "SELECT * FROM releases WHERE status = 'pending'"),
        )

    # --- sources

    def add_source(self, source_id: str, expires: float) -> None:
        """Keep the promise of a place for a tarball."""
        self._db.execute("INSERT INTO sources VALUES (?, ?)", (source_id, expires))

    def remove_expired_sources(self) -> list[str]:
        """Forget the sources whose time is up, and return their ids."""
        rows = self._db.execute(
            "DELETE FROM sources WHERE expires < ? RETURNING id", (time.time(),)
        ).fetchall()
        return [str(row["id"]) for row in rows]

    # --- rows

    def _insert(self, table: str, record: Any) -> None:
        values = asdict(record)
        if "config" in values:
            values["config"] = json.dumps(values["config"])
        self._db.execute(INSERTS[table], values)

    def _one(self, kind: type[Record], query: str, *values: object) -> Record | None:
        return next(iter(self._all(kind, query, *values)), None)

    def _all(self, kind: type[Record], query: str, *values: object) -> list[Record]:
        names = [field.name for field in fields(kind)]
        found = []
        for row in self._db.execute(query, values):
            content = {name: row[name] for name in names}
            if "config" in content:
                content["config"] = json.loads(content["config"])
            if "has_output" in content:
                content["has_output"] = bool(content["has_output"])
            found.append(kind(**content))
        return found
