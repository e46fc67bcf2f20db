"""The platform: every app with its runner, and what is done to them. Knows nothing of HTTP requests."""

import asyncio
import fcntl
import shutil
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import NAMESPACE_URL, uuid5

from tutorial.heroku.errors import invalid, not_found
from tutorial.heroku.logs import LogBook
from tutorial.heroku.outputs import Outputs
from tutorial.heroku.records import App, Build, Release, new_id, now
from tutorial.heroku.releases import INTERRUPTED, AppRunner
from tutorial.heroku.signing import Signer
from tutorial.heroku.store import Store, StoreError

SOURCE_SECONDS = 3600  # how long a source's addresses are good for
FIRST_PORT = 10  # apps' ports begin so many above the service's own


@dataclass(frozen=True)
class Account:
    """Whoever has the key: there is one account."""

    id: str = str(uuid5(NAMESPACE_URL, "account"))
    email: str = "you@laptop.example"

    @property
    def by(self) -> str:
        """Say in a log who did it."""
        return f"by user {self.email}"


class Platform:
    """All that is behind the API. Make it, `start` it in an event loop, `stop` it there."""

    def __init__(self, state: Path, base: str, port: int, boot_timeout: float) -> None:
        """Open the state. Raises `StoreError` if it cannot be, or another platform has it open."""
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state = state
        self._lock = locked(state)
        self.store = Store(state / "platform.sqlite")
        self.logs = LogBook(state / "logs.sqlite")
        self.outputs = Outputs(state / "outputs")
        self.sources = state / "sources"
        self.sources.mkdir(mode=0o700, exist_ok=True)
        self.signer = Signer(self.store.secret("signatures"), base)
        self.account = Account()
        self.started_at = now()
        self._port = port
        self._boot_timeout = boot_timeout
        self._runners: dict[str, AppRunner] = {}

    async def start(self) -> None:
        """Tell of what was interrupted, and start every app's current release again."""
        self._fail_what_is_pending()
        self._remove_old_sources()
        shutil.rmtree(self.state / "one-off", ignore_errors=True)  # of a platform that was killed
        for app in self.store.apps():
            await self._run(app)

    async def stop(self) -> None:
        """Stop all dynos; what is under way has failed."""
        await asyncio.gather(*(runner.stop() for runner in self._runners.values()))
        self._fail_what_is_pending()
        self.outputs.close_all()
        self.logs.close()
        self.store.close()
        self._lock.close()

    def runner(self, app: App) -> AppRunner:
        """Return what runs an app."""
        return self._runners[app.id]

    def log(self, app: App, message: str) -> None:
        """Add what the API did to an app's log, as Heroku does."""
        self.logs.add(app.id, "app", "api", f"{message} {self.account.by}")

    # --- apps

    async def create_app(self, name: str, stack: str) -> App:
        """Make an app. Raises `ApiError` if its name is taken."""
        stamp = now()
        app = App(new_id(), name, stack, stack, {}, 0, 0, stamp, stamp, None, None)
        try:
            with self.store.together():
                self.store.add_app(app)
                for description in ("Initial release", "Enable Logplex"):
                    self.store.add_release(app.id, description, "succeeded", None, {})
        except sqlite3.IntegrityError:
            raise taken(name) from None
        await self._run(app)
        self.log(app, "Initial release")
        return self._again(app)

    async def delete_app(self, app: App) -> None:
        """Stop an app and forget it."""
        outputs = [record.id for record in self.store.builds(app.id)]
        outputs += [record.id for record in self.store.releases(app.id)]
        self.store.remove_app(app.id)
        runner = self._runners.pop(app.id)
        await runner.stop()
        # Its image, too, is kept no longer: a dyno's folder says that it is in use.
        await asyncio.to_thread(shutil.rmtree, self.state / "dynos" / app.id, ignore_errors=True)
        self.logs.remove(app.id)
        for output in outputs:
            self.outputs.remove(output)

    def rename_app(self, app: App, name: str) -> None:
        """Give an app another name. Raises `ApiError` if it is taken."""
        try:
            self.store.change_app(app.id, name=name)
        except sqlite3.IntegrityError:
            raise taken(name) from None

    def scale(self, app: App, quantity: int) -> None:
        """Run one web dyno, or none."""
        if quantity != app.quantity:
            self.store.change_app(app.id, quantity=quantity)
            self.log(app, f"Scaled to web@{quantity}:Basic")
            self.runner(app).show_current_soon()

    def _again(self, app: App) -> App:
        found = self.store.app(app.id)
        if found is None:
            raise not_found("app")
        return found

    async def _run(self, app: App) -> None:
        def log(source: str, process: str, message: str) -> None:
            if app.id in self._runners:  # not of an app that has been deleted
                self.logs.add(app.id, source, process, message)

        by = self.account.by
        runner = AppRunner(app, self.state, self.store, self.outputs, log, self._boot_timeout, by)
        self._runners[app.id] = runner
        port = await runner.start(app.port or self._port + FIRST_PORT)
        if port != app.port:
            self.store.change_app(app.id, port=port)

    # --- sources and builds

    def create_source(self) -> str:
        """Promise a place for a tarball, and return its id."""
        self._remove_old_sources()
        source_id = new_id()
        self.store.add_source(source_id, time.time() + SOURCE_SECONDS)
        return source_id

    def tarball(self, source_id: str) -> Path:
        """Return where a source's tarball is, once it was uploaded."""
        return self.sources / f"{source_id}.tgz"

    def build(
        self, app: App, url: str, checksum: str | None, revision: str | None, words: str | None
    ) -> Build:
        """Put a build of one of our own sources in the app's queue."""
        path = self.signer.path(url) or ""
        source_id = path.removeprefix("/sources/")
        if not path.startswith("/sources/") or "/" in source_id:
            raise invalid(
                "source_blob.url must be a get_url of this platform: POST /sources first."
            )
        stamp = now()
        build = Build(
            new_id(), app.id, "pending", url, checksum, revision, words, None, None, stamp, stamp
        )
        self.store.add_build(build)
        self.log(app, "Build started")
        self.runner(app).build(build, self.tarball(source_id))
        return build

    def _remove_old_sources(self) -> None:
        for source_id in self.store.remove_expired_sources():
            self.tarball(source_id).unlink(missing_ok=True)

    # --- releases

    def set_config(self, app: App, changes: Mapping[str, str | None]) -> None:
        """Set and remove (None) config vars. A change makes a release; values stay out of the log."""
        config = {**app.config, **{name: v for name, v in changes.items() if v is not None}}
        for name in (name for name, value in changes.items() if value is None):
            config.pop(name, None)
        if config == dict(app.config):
            return
        put = sorted(name for name in config if config[name] != app.config.get(name))
        gone = sorted(set(app.config) - set(config))
        words = [f"Set {', '.join(put)}"] * bool(put) + [f"Remove {', '.join(gone)}"] * bool(gone)
        description = f"{' and '.join(words)} config vars"
        self.log(app, description)
        self.runner(app).change(description, config)

    def release_slug(self, app: App, slug_id: str, description: str | None) -> Release:
        """Release a slug of the app again, with the configuration of today."""
        return self._release(app, description or f"Deploy {slug_id[:8]}", slug_id, app.config)

    def roll_back(self, app: App, former: Release) -> Release:
        """Make a new release of a former one's slug and configuration."""
        if former.status != "succeeded" or former.slug_id is None:
            raise invalid(f"Cannot roll back to v{former.version}: it never ran a deployed slug.")
        if not self.is_eligible(app, former):
            raise invalid(f"Cannot roll back to v{former.version}: its image is kept no longer.")
        self.log(app, f"Rollback to v{former.version}")
        return self._release(app, f"Rollback to v{former.version}", former.slug_id, former.config)

    def is_eligible(self, app: App, former: Release) -> bool:
        """Tell whether there is a way back to a release."""
        slug = self.store.slug(former.slug_id)
        return former.status == "succeeded" and slug is not None and self.runner(app).keeps(slug)

    def _release(
        self, app: App, description: str, slug_id: str, config: Mapping[str, str]
    ) -> Release:
        slug = self.store.slug(slug_id)
        if slug is None or slug.app_id != app.id or not self.runner(app).keeps(slug):
            raise not_found("slug")
        return self.runner(app).release(description, slug, config)

    def _fail_what_is_pending(self) -> None:
        """As the platform starts or stops, nothing is under way any more."""
        builds, releases = self.store.pending()
        interrupted = [build.id for build in builds] + [release.id for release in releases]
        for output in interrupted:
            # The sentence first: who sees the failure can read why.
            self.outputs.open(output)
            self.outputs.add(output, f" !     {INTERRUPTED}")
        for build in builds:
            self.store.fail_build(build)
        for release in releases:
            self.store.finish_release(release, "failed")
        for output in interrupted:
            self.outputs.close(output)


def taken(name: str) -> Exception:
    """The error for a name that another app has."""
    return invalid(f"Name {name} is already taken")


def locked(state: Path) -> IO[bytes]:
    """Hold the state for this process alone. Raises `StoreError` if another one holds it."""
    lock = (state / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError(
            f"Another platform runs on {state}: stop it, or name another folder."
        ) from None
    return lock
