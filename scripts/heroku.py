"""A client of Heroku's Platform API: what deploying an app, looking at it and going back take."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import quote

import requests

AWAY = 30.0  # seconds for which a platform that we only look at may be away
CRASHED = 3.0  # seconds: a crashed dyno is started once more at once, and then it stays down
CUT = "The platform does not answer: check HEROKU_API_URL, and look at the app's releases."
PAUSE = 0.5  # seconds between two looks
ROLLBACK = re.compile(r"Rollback to v(\d+)")

Release = dict[str, Any]
Say = Callable[[str], object]


class HerokuError(RuntimeError):
    """What the platform refuses, or what failed there. The message says it in a sentence."""


class App:
    """One app on the platform. Whatever is asked of it may raise `HerokuError`."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Read HEROKU_APP_NAME, HEROKU_API_KEY, and HEROKU_API_URL where it is not Heroku's own."""
        for needed in ("HEROKU_APP_NAME", "HEROKU_API_KEY"):
            if not re.fullmatch(r"[!-~]+", settings.get(needed, "")):
                raise HerokuError(f"{needed} must be set, to letters and digits: see your account.")
        self.name, self._key = settings["HEROKU_APP_NAME"], settings["HEROKU_API_KEY"]
        self._api = (settings.get("HEROKU_API_URL") or "https://api.heroku.com").rstrip("/")
        self._app = f"/apps/{quote(self.name, safe='')}"

    @cached_property
    def web_url(self) -> str:
        """The app's public address, with a slash at the end."""
        app = self._ask("GET", self._app)
        if app["build_stack"]["name"] != "container":
            how = f"heroku stack:set container --app {self.name}"
            raise HerokuError(f"{self.name} is not set to build containers: run `{how}`.")
        return str(app["web_url"])

    def upload(self, tarball: bytes) -> dict[str, str]:
        """Upload source code; return what `build` needs in order to find it."""
        place = self._ask("POST", "/sources")["source_blob"]
        stored = self._send("PUT", place["put_url"], "The upload was cut: try again.", data=tarball)
        if not stored.ok:
            raise HerokuError(f"The upload was refused with {stored.status_code}: {stored.text}")
        checksum = f"SHA256:{hashlib.sha256(tarball).hexdigest()}"
        return {"url": place["get_url"], "checksum": checksum}

    def build(self, source: Mapping[str, str], commit: str, say: Say) -> Release:
        """Build uploaded code, hand the output to `say`, and return the release that is made of it."""
        body = {"source_blob": {**source, "version": commit}}
        build = self._ask("POST", f"{self._app}/builds", json=body)
        done = self._follow("The build", f"{self._app}/builds/{build['id']}", say)
        return self.release(done["release"]["id"])

    def finish(self, release: Release, say: Say) -> None:
        """Wait until a release's own command, the release phase, has ended well."""
        path = f"{self._app}/releases/{release['id']}"
        self._follow(f"The release phase of v{release['version']}", path, say)

    def serving(self, release: Release, seconds: float) -> dict[str, Any]:
        """Wait until the dyno of this very release is up, and return the card of the model there."""
        version, deadline, crashes = release["version"], time.monotonic() + seconds, 0
        while True:
            web = {d["release"]["version"]: d["state"] for d in self.dynos() if d["type"] == "web"}
            state = web.get(version, "not there")
            why = f"its web dyno is {state}"
            if state == "up":
                try:
                    return self.card()
                except HerokuError as error:
                    why = str(error)
            crashes = crashes + 1 if state == "crashed" else 0
            late = time.monotonic() > deadline or crashes * PAUSE > CRASHED
            if late or max(web, default=0) > version:
                break
            time.sleep(PAUSE)
        if (newest := self.newest()) > version:
            raise HerokuError(f"v{version} was superseded by v{newest}.")
        raise HerokuError(f"v{version} does not serve: {why}.")

    def card(self) -> dict[str, Any]:
        """Return what the app's `GET /model` says of the model in service."""
        answer = self._send("GET", f"{self.web_url}model", "GET /model has no answer", away=0)
        try:
            card = dict(answer.json())
        except (TypeError, ValueError):
            card = {}
        if not answer.ok or card.get("status") != "serving":
            why = f" ({card['problem'].rstrip('.')})" if card.get("problem") else ""
            raise HerokuError(f"GET /model answers {answer.status_code}{why}")
        return card

    def releases(self) -> list[Release]:
        """Return the latest releases that hold code: an app's first ones hold settings alone."""
        latest = {"Range": "version ..; order=desc, max=100"}
        releases = self._ask("GET", f"{self._app}/releases", headers=latest)
        return [r for r in releases if r.get("slug") or r.get("artifacts")]

    def release(self, which: str) -> Release:
        """Return a release by its id or its number."""
        return dict(self._ask("GET", f"{self._app}/releases/{quote(which, safe='')}"))

    def newest(self) -> int:
        """Return the number of the release that is live or about to be; 0 before the first."""
        return max((r["version"] for r in self.releases() if r["status"] != "failed"), default=0)

    def before(self, version: int) -> Release:
        """Return the newest release before this one to go back to. A rollback counts as its target."""
        known = {r["version"]: r for r in self.releases()}
        while version in known and (back := ROLLBACK.match(known[version]["description"])):
            version = int(back[1])
        good = [v for v, r in known.items() if v < version and r["status"] == "succeeded"]
        if not good:
            raise HerokuError("There is no former release to go back to.")
        return known[max(good)]

    def rollback(self, release: Release) -> Release:
        """Make the image and the settings of an old release live again, as a new release."""
        return dict(self._ask("POST", f"{self._app}/releases", json={"release": release["id"]}))

    def dynos(self) -> list[dict[str, Any]]:
        """Return the dynos, each with its `type`, `state` and `release`."""
        return list(self._ask("GET", f"{self._app}/dynos"))

    def config(self) -> dict[str, str]:
        """Return the config vars. Secrets are among them: print none."""
        return dict(self._ask("GET", f"{self._app}/config-vars"))

    def logs(self, lines: int) -> list[str]:
        """Return the last lines of the log, without times and visitors' requests."""
        session = self._ask("POST", f"{self._app}/log-sessions", json={"lines": 100, "tail": False})
        log = self._send("GET", session["logplex_url"]).text.splitlines()
        return [line.partition(" ")[2] for line in log if "heroku[router]" not in line][-lines:]

    def _follow(self, what: str, path: str, say: Say) -> dict[str, Any]:
        """Hand the output of a build or a release to `say` as it comes; return the thing, done."""
        told: list[str] = []
        while True:
            now = dict(self._ask("GET", path))
            # There is no output before the first line, and a connection may be cut: then read on.
            for line in islice(self._lines(now.get("output_stream_url")), len(told), None):
                told.append(line)
                say(line)
            if now["status"] == "failed":
                own = [line for line in told if line and "Release command failed" not in line]
                raise HerokuError(f"{what} failed: {(own or ['see its log'])[-1].strip(' !.')}.")
            if now["status"] != "pending" and now.get("release", True):
                return now
            time.sleep(PAUSE)

    def _lines(self, url: str | None) -> Iterator[str]:
        """Yield the lines that are printed at `url` as they come, until the end or a cut."""
        answer = self._send("GET", url, stream=True) if url else None
        with suppress(requests.RequestException):
            for line in answer.iter_lines(None) if answer and answer.ok else ():
                yield line.replace(b"\0", b"").decode(errors="replace").rstrip()

    def _ask(self, method: str, path: str, headers: Mapping[str, str] = {}, **how: Any) -> Any:
        """Ask the Platform API, and return what it answers."""
        told = {"Accept": "application/vnd.heroku+json; version=3", **headers}
        told["Authorization"] = f"Bearer {self._key}"
        answer = self._send(method, self._api + path, headers=told, **how)
        try:
            content = answer.json()
        except ValueError:
            raise HerokuError(f"{self._api} is no Heroku API: check HEROKU_API_URL.") from None
        if answer.status_code == requests.codes.unauthorized:
            raise HerokuError("The platform refuses the key: check HEROKU_API_KEY.")
        if answer.status_code == requests.codes.not_found and content.get("resource") == "app":
            raise HerokuError(f"There is no app {self.name}: `heroku create {self.name}` makes it.")
        if not answer.ok:
            raise HerokuError(f"The platform refuses: {content['message']}")
        return content

    def _send(self, method: str, url: str, cut: str = CUT, **how: Any) -> requests.Response:
        """Send a request. A GET waits for a platform that is away; what makes something is sent once."""
        # Without an `auth`, requests would take a key from ~/.netrc.
        how.setdefault("auth", lambda request: request)
        deadline = time.monotonic() + (how.pop("away", AWAY) if method == "GET" else 0)
        while True:
            try:
                answer = requests.request(method, url, timeout=(5, 60), **how)
                if answer.status_code not in (502, 503, 504) or time.monotonic() > deadline:
                    return answer
            except (requests.RequestException, ValueError) as error:
                # An address that is none is a ValueError: there is nothing to wait for.
                if isinstance(error, ValueError) or time.monotonic() > deadline:
                    raise HerokuError(cut) from None
            time.sleep(PAUSE)
