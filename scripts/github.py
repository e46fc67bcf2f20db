"""A client of GitHub's REST API: what reporting on a pull request, and finding its review, take."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import requests

PAGES = 30  # of 100: GitHub itself lists no more than 3,000 files of a pull request
LARGEST = 20_000_000  # bytes of an artifact as it is sent
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)

Json = dict[str, Any]


class GitHubError(RuntimeError):
    """What GitHub refuses, or what is there and cannot be used. The message says it in a sentence."""


class Artifact:
    """A zip file that anybody may have made: it is never unpacked, its files are read by their names."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (*DAMAGED, ValueError):
            raise GitHubError("The artifact is no zip file: train again.") from None

    def text(self, name: str, longest: int) -> str | None:
        """Return a file's text, None where none has that name. Raises `GitHubError`.

        No more than `longest` bytes of it are ever unpacked: a small zip file can hold gigabytes.
        """
        if name not in self._zip.namelist():
            return None
        try:
            with self._zip.open(name) as file:
                content = file.read(longest + 1)
            if len(content) > longest:
                raise GitHubError(f"{name} in the artifact is larger than {longest:,} bytes.")
            return content.decode()
        except UnicodeDecodeError:
            raise GitHubError(f"{name} in the artifact is no text in UTF-8.") from None
        except GitHubError:
            raise
        except (*DAMAGED, ValueError):
            raise GitHubError(f"{name} in the artifact is damaged: train again.") from None


class Repository:
    """One repository, seen with one token. Whatever is asked of it may raise `GitHubError`."""

    def __init__(self, settings: Mapping[str, str], token: str) -> None:
        """Read GITHUB_API_URL and GITHUB_REPOSITORY; the token's name is `token`'s among the settings."""
        for needed in ("GITHUB_API_URL", "GITHUB_REPOSITORY", token):
            if not settings.get(needed):
                raise GitHubError(f"{needed} is not set: run this in a workflow that sets it.")
        self._here = f"{settings['GITHUB_API_URL']}/repos/{settings['GITHUB_REPOSITORY']}"
        self._token = settings[token]

    def get(self, path: str, **query: str) -> Any:
        """Return what is there."""
        return self._json(self._send("GET", path, params=query))

    def every(self, path: str, key: str = "", **query: str) -> Iterator[Json]:
        """Yield each thing of a list, page by page; `key` is where the answer has it."""
        for page in range(1, PAGES + 1):
            said = self.get(path, per_page="100", page=str(page), **query)
            found = said[key] if key else said
            yield from found
            if len(found) < 100:
                return

    def write(self, method: str, path: str, body: Json) -> Json:
        """Make something, or change it, and return what it is now."""
        return dict(self._json(self._send(method, path, json=body)))

    def artifact(self, run: int, name: str) -> Artifact | None:
        """Return a run's artifact of that name, None where it has none, or none any more."""
        found = self.every(f"/actions/runs/{run}/artifacts", "artifacts", name=name)
        kept = next((one for one in found if not one["expired"]), None)
        if kept is None:
            return None
        if kept["size_in_bytes"] <= LARGEST:
            answer = self._send("GET", f"/actions/artifacts/{kept['id']}/zip", stream=True)
            try:
                content = b"".join(_at_most(answer))
            except requests.RequestException:
                raise GitHubError("The artifact's download was cut: run the job again.") from None
            if len(content) <= LARGEST:
                return Artifact(content)
        raise GitHubError(f"The artifact {name} is larger than {LARGEST:,} bytes: it is not read.")

    def _send(self, method: str, path: str, **how: Any) -> requests.Response:
        """Send a request; what is refused is an error."""
        told = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": f"Bearer {self._token}",
        }
        # Without an `auth`, requests would take a token from ~/.netrc.
        how.update(headers=told, auth=lambda request: request)
        try:
            answer = requests.request(method, self._here + path, timeout=(5, 60), **how)
        except (requests.RequestException, ValueError):
            raise GitHubError("GitHub does not answer: run the job again.") from None
        if answer.ok:
            return answer
        said = self._json(answer).get("message", "no reason")
        raise GitHubError(f"GitHub refuses {method} {path} with {answer.status_code}: {said}")

    def _json(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise GitHubError(f"{self._here} is not GitHub's API: it answers no JSON.") from None


def _at_most(answer: requests.Response) -> Iterator[bytes]:
    """Yield what comes, and a piece more than may be."""
    size = 0
    for piece in answer.iter_content(65_536):
        yield piece
        size += len(piece)
        if size > LARGEST:
            return
