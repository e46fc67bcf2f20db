"""The app that the platform serves: its release, its dyno, its address, asked over the platform's own API."""

from dataclasses import dataclass
from typing import Any

import requests

from tutorial import cloud
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import RunningApp

TIMEOUT = 10  # seconds until the platform has to answer


@dataclass(frozen=True)
class DeployedApp:
    """What the platform says of an app: `release` is the current one, `dynos` what runs of it."""

    name: str
    web_url: str
    release: dict[str, Any]
    dynos: list[dict[str, Any]]

    @property
    def who(self) -> str:
        """Say which release is live, since when, and who released it."""
        release = self.release
        return (
            f"v{release['version']} ({release['description']}), since {release['created_at']}, "
            f"by {release['user']['email']}"
        )


class Platform:
    """The Heroku Platform API as `cloud.environment` names it, read only. Raises `TutorialError`."""

    def __init__(self, home: Home) -> None:
        settings = cloud.environment(home)
        self.app = settings["HEROKU_APP_NAME"]
        self._url = settings["HEROKU_API_URL"]
        self._headers = {
            "Authorization": f"Bearer {settings['HEROKU_API_KEY']}",
            "Accept": "application/vnd.heroku+json; version=3",
        }

    def get(self, path: str = "") -> Any:
        """Return what `GET /apps/APP` and a path below it answers."""
        try:
            answer = requests.get(
                f"{self._url}/apps/{self.app}{path}", headers=self._headers, timeout=TIMEOUT
            )
        except requests.RequestException:
            raise TutorialError("The platform does not answer: run `tutorial up`.") from None
        if answer.status_code == requests.codes.not_found:
            raise TutorialError(f"The platform has no app {self.app}: create it (milestone 1).")
        if not answer.ok:
            raise TutorialError(f"The platform answers {answer.status_code}: see `tutorial logs`.")
        return answer.json()

    def config(self) -> dict[str, str]:
        """Return the app's config vars, secrets among them: not for printing."""
        config: dict[str, str] = self.get("/config-vars")
        return config

    def deployed(self) -> DeployedApp:
        """Return the app as it is live; raises `TutorialError` where no code was ever released."""
        app, releases = self.get(), self.get("/releases")
        current = [release for release in releases if release.get("current")]
        dynos = [dyno for dyno in self.get("/dynos") if dyno["type"] == "web"]
        if not current or not dynos:
            raise TutorialError(
                f"No release of {self.app} is live: run `python scripts/deploy.py`."
            )
        return DeployedApp(self.app, app["web_url"].rstrip("/"), current[-1], dynos)


def live_app(home: Home) -> RunningApp:
    """Return the app at its public address on the platform. Raises `TutorialError` where there is none."""
    return RunningApp(Platform(home).deployed().web_url, home)
