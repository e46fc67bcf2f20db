"""How an app gets from a source to a running dyno: builds one after another, then releases one after another."""

import asyncio
import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TypeVar

from tutorial.heroku import images
from tutorial.heroku.dynos import WebDyno, run_one_off
from tutorial.heroku.images import BuildError
from tutorial.heroku.outputs import Outputs
from tutorial.heroku.records import App, Build, Release, Slug, new_id, now
from tutorial.heroku.router import Router
from tutorial.heroku.store import Store

INTERRUPTED = "interrupted: the platform stopped while this was under way: deploy again."
PORTS = 50  # how many ports are tried before any free one will do

T = TypeVar("T")


class AppRunner:
    """One app: its dyno, its router, and the work that waits. Lives in the event loop."""

    def __init__(
        self,
        app: App,
        state: Path,
        store: Store,
        outputs: Outputs,
        log: Callable[[str, str, str], object],
        boot_timeout: float,
        by: str,
    ) -> None:
        self._app_id = app.id
        self._state = state
        self._store = store
        self._outputs = outputs
        self._log = log
        self._by = by
        self.dyno = WebDyno(state / "dynos" / app.id, log, boot_timeout)
        self.router = Router(self.dyno, log)
        self._builds: asyncio.Queue[tuple[Build, Path]] = asyncio.Queue()
        self._releases: asyncio.Queue[Release] = asyncio.Queue()
        self._unfinished = 0  # releases that are pending
        self._changes: set[str] = set()  # those of them that only change the configuration
        self.in_release_phase: Release | None = None
        self._dyno_turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, preferred: int) -> int:
        """Open the app's port (near the preferred one where that is taken) and start its dyno."""
        port = 0
        for candidate in (*range(preferred, preferred + PORTS), 0):
            try:
                port = await self.router.start(candidate)
            except (OSError, OverflowError):
                continue
            break
        self._do(self._work_on_builds())
        self._do(self._work_on_releases())
        self._do(self.show_current())
        return port

    async def stop(self) -> None:
        """Stop what is under way, the dyno and the router."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.dyno.stop()
        await self.router.stop()

    # --- builds

    def build(self, build: Build, tarball: Path) -> None:
        """Put a build in the queue."""
        self._outputs.open(build.id)
        self._builds.put_nowait((build, tarball))

    async def _work_on_builds(self) -> None:
        while True:
            build, tarball = await self._builds.get()
            try:
                await self._carry_out_build(build, tarball)
            except Exception:  # ours, not the app's: the next build is to be tried all the same
                logging.exception("A build broke off")
            finally:
                self._outputs.close(build.id)

    async def _carry_out_build(self, build: Build, tarball: Path) -> None:
        loop = asyncio.get_running_loop()

        def say(line: str) -> None:
            loop.call_soon_threadsafe(self._outputs.add, build.id, line)

        def make() -> tuple[images.Image, str, int]:
            say("-----> Building the container image on this machine")
            digest, size = checked(tarball, build.checksum)
            return images.build(tarball, self._state / "images", say), digest, size

        app = self._store.app(self._app_id)
        if app is None:
            return
        try:
            if app.build_stack != "container":
                raise BuildError(
                    f"The app's stack is {app.build_stack}, and only containers are built here: "
                    "set its build_stack to container."
                )
            if not tarball.is_file():
                raise BuildError("The source was never uploaded: PUT a tarball to its put_url.")
            image, digest, size = await in_a_thread(make)
        except BuildError as error:
            self._fail(build, str(error))
            return
        except Exception as error:
            self._fail(build, f"The build broke off ({type(error).__name__}: {error}): try again.")
            raise
        slug = Slug(
            new_id(), app.id, image.id, image.command, image.release_command, build.revision,
            build.revision_description, f"SHA256:{digest}", size, now(),
        )  # fmt: skip
        release = self._store.finish_build(
            build, slug, f"Deploy {(build.revision or slug.id)[:8]}", self._first_status(slug)
        )
        self._outputs.add(build.id, f"-----> Released v{release.version}")
        self._log("app", "api", "Build succeeded")
        self._log("app", "api", f"{release.description} {self._by}")
        self._enqueue(release)

    def _fail(self, build: Build, why: str) -> None:
        self._store.fail_build(build)
        self._outputs.add(build.id, f" !     {why}")
        self._log("app", "api", "Build failed -- check your build output")

    # --- releases

    def release(self, description: str, slug: Slug | None, config: Mapping[str, str]) -> Release:
        """Make a release of this slug with this configuration. It is current when it has succeeded."""
        return self._release(description, slug, config)

    def change(self, description: str, config: Mapping[str, str]) -> Release:
        """Make a release of what is current, or soon will be, with this configuration."""
        made = [r for r in self._store.releases(self._app_id) if r.status != "failed"]
        release = self._release(description, self._store.slug(made[-1].slug_id), config)
        if release.status == "pending":
            self._changes.add(release.id)
        return release

    def _release(self, description: str, slug: Slug | None, config: Mapping[str, str]) -> Release:
        release = self._store.add_release(
            self._app_id,
            description,
            self._first_status(slug),
            slug.id if slug else None,
            config,
            bool(slug and slug.release_command),
        )
        self._enqueue(release)
        return release

    def _first_status(self, slug: Slug | None) -> str:
        """A release waits for its own release phase, and for the releases before it."""
        waits = self._unfinished or (slug and slug.release_command)
        return "pending" if waits else "succeeded"

    def _enqueue(self, release: Release) -> None:
        self._log("app", "api", f"Release v{release.version} created {self._by}")
        self._unfinished += release.status == "pending"
        if release.has_output:
            self._outputs.open(release.id)
        self._releases.put_nowait(release)

    async def _work_on_releases(self) -> None:
        while True:
            release = await self._releases.get()
            try:
                if release.status == "pending":
                    await self._carry_out_release(release)
            except Exception:  # ours, not the app's: the next release is to be tried all the same
                logging.exception("A release broke off")
            finally:
                self._changes.discard(release.id)
                self._unfinished -= release.status == "pending"
                self._outputs.close(release.id)
            self.show_current_soon()

    async def _carry_out_release(self, release: Release) -> None:
        if release.id in self._changes and (current := self._store.current_release(self._app_id)):
            # The release whose slug it was to have may have failed meanwhile.
            release = self._store.repoint(release, current.slug_id)
        slug = self._store.slug(release.slug_id)
        status = 0
        if slug and slug.release_command:
            self.in_release_phase = release

            def say(line: str) -> None:
                self._outputs.add(release.id, line)

            try:
                image = await in_a_thread(lambda: self._image(slug))
                status = await run_one_off(
                    image,
                    release.config,
                    "release.1",
                    self._log,
                    say,
                    self._state / "one-off" / self._app_id,
                )
            except BuildError as error:
                say(f" !     {error}")
                status = 1
            except Exception as error:
                say(f" !     The release phase broke off ({type(error).__name__}: {error}).")
                status = 1
            finally:
                self.in_release_phase = None
            if status:
                say(
                    f" !     Release command failed with status {status}: v{release.version} is not live."
                )
        self._store.finish_release(release, "failed" if status else "succeeded")
        if status:
            self._log(
                "app", "api", f"Release v{release.version} failed: its release command failed"
            )

    # --- the dyno

    async def show_current(self) -> None:
        """See that the dyno runs the current release, or that there is none where none is wanted."""
        async with self._dyno_turn:
            app = self._store.app(self._app_id)
            if app is None:
                return
            release = self._store.current_release(app.id)
            slug = self._store.slug(release.slug_id) if release else None
            if release is None or slug is None or app.quantity == 0:
                if self.dyno.state != "down":
                    await self.dyno.stop()
                return
            if self.dyno.release == release.version and self.dyno.state != "down":
                return
            try:
                image = await in_a_thread(lambda: self._image(slug))
            except BuildError as error:
                self._log("heroku", "web.1", f"v{release.version} cannot be started: {error}")
                return
            await self.dyno.replace(image, release.config, release.version)

    def show_current_soon(self) -> None:
        """The same, without waiting for it."""
        self._do(self.show_current())

    def restart(self) -> None:
        """Restart the dyno, without waiting for it."""

        async def restart() -> None:
            async with self._dyno_turn:
                if self.dyno.state != "down":
                    await self.dyno.restart()

        self._do(restart())

    def keeps(self, slug: Slug) -> bool:
        """Tell whether a slug's image is still there, and can be released again."""
        try:
            self._image(slug)
        except BuildError:
            return False
        return True

    def _image(self, slug: Slug) -> images.Image:
        return images.load(self._state / "images", slug.image_id)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logging.error("The platform's own work broke off", exc_info=error)


def checked(tarball: Path, checksum: str | None) -> tuple[str, int]:
    """Return the sha256 and the size of a source. Raises `BuildError` if its checksum is another."""
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if checksum and checksum.lower() not in (f"sha256:{digest}", digest):
        raise BuildError("The source is not the one that the checksum names: upload it again.")
    return digest, tarball.stat().st_size


async def in_a_thread(work: Callable[[], T]) -> T:
    """Do blocking work in a thread that does not keep a stopping platform from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        try:
            value, error = work(), None
        except BaseException as problem:
            value, error = None, problem
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True).start()
    return await done
