"""What the platform says of the deployed app, what the checks of milestone 1 make of it, and the audit's first answer."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from small_server import Reply, SmallServer, in_json, small_server

from tutorial import cloud
from tutorial.audit import audit
from tutorial.checks import CHECKS, Item, Probe, run_checks
from tutorial.deployed import Platform, live_app
from tutorial.errors import TutorialError
from tutorial.exercises import go_back, let_one_file_in
from tutorial.home import PROJECT, Home
from tutorial.serving import RunningApp

LIVE, PAGE, CARD, MODEL, CHECKED, IMAGE = CHECKS[1]
KEY = "the-key-of-the-platform"
SERVING = {"status": "serving", "checked": "now", "digest": "d" * 64, "problem": None}
RELEASE = {
    "version": 7,
    "status": "succeeded",
    "description": "Deploy 1a2b3c4",
    "created_at": "2026-11-25T04:00:00Z",
    "current": True,
    "user": {"email": "reader@localhost"},
}


class Deployed:
    """A platform and an app on it that answer what a test wants."""

    def __init__(self, home: Home, server: SmallServer) -> None:
        self.home, self.server = home, server
        self.replies: dict[str, Reply] = {
            "/apps/reviews": in_json({"web_url": f"{server.url}/"}),
            "/apps/reviews/releases": in_json(
                [RELEASE | {"output_stream_url": f"{server.url}/said"}]
            ),
            "/apps/reviews/config-vars": in_json({"MODEL_URI": "models/sentiment.skops"}),
            "/said": Reply(b"models/sentiment.skops predicts its own example; model digest ddd"),
            "/model": in_json(SERVING),
            "/": Reply(b"<html>"),
            "/_stcore/health": Reply(b"ok"),
        }
        self.dyno("up", 7)
        server.replies = self.replies

    def dyno(self, state: str, version: int) -> None:
        dyno = {"name": "web.1", "type": "web", "state": state, "release": {"version": version}}
        self.replies["/apps/reviews/dynos"] = in_json([dyno])

    def seen(self, item: Item) -> str:
        """What an item sees; raises `TutorialError` where it says no."""
        return item.probe(Probe(self.home, RunningApp(self.server.url, self.home)))

    def says_no(self, item: Item, words: str) -> None:
        with pytest.raises(TutorialError, match=words):
            self.seen(item)


@pytest.fixture
def deployed(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    with small_server({}) as server:
        settings = {
            "HEROKU_API_URL": server.url,
            "HEROKU_API_KEY": KEY,
            "HEROKU_APP_NAME": "reviews",
        }
        monkeypatch.setattr(cloud, "environment", lambda home: settings)
        yield Deployed(home, server)


def with_model_probe(monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    said = f'{{"digest": "{digest}"}}'
    monkeypatch.setattr("tutorial.checks.items.run_in_workspace", lambda home, module: said)


def test_the_live_app_is_the_one_at_the_address_that_the_platform_names(deployed: Deployed) -> None:
    assert live_app(deployed.home).url == deployed.server.url
    assert live_app(deployed.home).card()["status"] == "serving"


def test_what_holds_is_said_with_what_was_seen(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model_probe(monkeypatch, "d" * 64)
    deployed.home.workspace.mkdir(parents=True)
    (deployed.home.workspace / "app").mkdir()
    (deployed.home.workspace / "app" / "main.py").touch()
    ignore = (PROJECT / ".dockerignore").read_bytes()
    (deployed.home.workspace / ".dockerignore").write_bytes(ignore)
    results = run_checks(1, deployed.home)
    assert [result.seen for result in results if not result.passed] == []
    assert "v7" in results[0].seen


@pytest.mark.parametrize(("state", "version"), [("crashed", 7), ("starting", 7), ("up", 6)])
def test_a_dyno_that_is_not_up_with_the_current_release_is_noticed(
    deployed: Deployed, state: str, version: int
) -> None:
    deployed.dyno(state, version)
    deployed.says_no(LIVE, f"web.1 is {state}, with release v{version}; v7 is current")


def test_a_page_that_does_not_answer_is_noticed(deployed: Deployed) -> None:
    deployed.replies["/"] = Reply(b"Application error", 503)
    deployed.says_no(PAGE, "/ answers 503")


def test_a_card_without_a_model_is_noticed(deployed: Deployed) -> None:
    gone = {"status": "unavailable", "checked": "now", "problem": "There is no model there."}
    deployed.replies["/model"] = in_json(gone, 503)
    deployed.says_no(CARD, "There is no model there")


def test_another_model_than_the_readers_is_noticed(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_model_probe(monkeypatch, "e" * 64)
    deployed.says_no(MODEL, "dddddddddddd answers, and eeeeeeeeeeee")


def test_a_release_that_nobody_checked_is_noticed(deployed: Deployed) -> None:
    deployed.replies["/said"] = Reply(b"")
    deployed.says_no(CHECKED, "v7 went live without a check")
    deployed.replies["/apps/reviews/releases"] = in_json([RELEASE | {"output_stream_url": None}])
    deployed.says_no(CHECKED, "v7 went live without a check")


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        (None, "no .dockerignore"),
        (["*.pyc"], "would go in"),
        (["*", "!app/", "!data/"], "data/test.csv would go in"),
    ],
    ids=["no list", "a list of what is forbidden", "a folder too many"],
)
def test_an_image_that_takes_more_than_the_app_is_noticed(
    deployed: Deployed, patterns: list[str] | None, words: str
) -> None:
    workspace = deployed.home.workspace
    for name in ("app/main.py", "data/test.csv", ".env"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).touch()
    if patterns is not None:
        (workspace / ".dockerignore").write_text("\n".join(patterns))
    deployed.says_no(IMAGE, words)


def not_there(deployed: Deployed) -> None:
    deployed.replies["/apps/reviews"] = in_json({"id": "not_found"}, 404)


def without_code(deployed: Deployed) -> None:
    deployed.replies["/apps/reviews/dynos"] = in_json([])


def wrong_key(deployed: Deployed) -> None:
    deployed.replies["/apps/reviews"] = in_json({"id": "unauthorized"}, 401)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (not_there, "has no app reviews: create it"),
        (without_code, "No release of reviews is live: run `python scripts/deploy.py`"),
        (wrong_key, "answers 401"),
    ],
)
def test_an_app_that_is_not_live_is_one_sentence(
    deployed: Deployed, change: Callable[[Deployed], None], words: str
) -> None:
    change(deployed)
    with pytest.raises(TutorialError, match=words):
        run_checks(1, deployed.home)


def test_a_platform_that_is_down_is_one_sentence(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_server({}) as server:
        gone = {"HEROKU_API_URL": server.url, "HEROKU_API_KEY": KEY, "HEROKU_APP_NAME": "reviews"}
    monkeypatch.setattr(cloud, "environment", lambda home: gone)
    with pytest.raises(TutorialError, match="does not answer: run `tutorial up`"):
        Platform(home).deployed()


def answers_of(home: Home) -> list[Any]:
    return [answer.answer for answer in audit(home)]


def test_the_audit_tells_which_release_is_live_since_when_and_by_whom(deployed: Deployed) -> None:
    first, second, *others = audit(deployed.home)
    assert first.answer is not None
    for fact in ("v7", "Deploy 1a2b3c4", "2026-11-25T04:00:00Z", "reader@localhost"):
        assert fact in first.answer
    assert second.answer is None
    assert "a file" in second.evidence
    assert [answer.answer for answer in others] == [None] * 6


def test_a_current_release_whose_app_is_silent_is_no_evidence(deployed: Deployed) -> None:
    deployed.replies["/model"] = Reply(b"Application error", 503)
    assert answers_of(deployed.home) == [None] * 8


def test_the_audit_names_model_and_version_where_the_source_keeps_versions(
    deployed: Deployed,
) -> None:
    card = SERVING | {"version": "v-42", "uri": "s3://b/models/sentiment.skops"}
    deployed.replies["/model"] = in_json(card)
    second = audit(deployed.home)[1]
    assert second.answer == "model dddddddddddd, version v-42 of s3://b/models/sentiment.skops"
    assert second.evidence == "GET /model: version"


def test_no_text_of_the_audit_or_a_check_holds_the_key(deployed: Deployed) -> None:
    del deployed.replies["/said"]
    deployed.home.workspace.mkdir(parents=True)
    said = repr(audit(deployed.home)) + repr(run_checks(1, deployed.home))
    assert "went live without a check" in said
    assert KEY not in said


# --- the exercises of milestone 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "does not get in"),
        ("data/DATASHEET.md", "does not get in"),
        ("!data/", "data/test.csv gets in, too"),
        ("!data/*.md\napp/main.py", "app/main.py got in before"),
        ("!data/DATASHEET.md", None),
    ],
)
def test_one_file_and_no_other_is_let_in(deployed: Deployed, lines: str, words: str | None) -> None:
    workspace = deployed.home.workspace
    for name in ("app/main.py", "data/test.csv", "data/DATASHEET.md"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).touch()
    (workspace / ".dockerignore").write_bytes((PROJECT / ".dockerignore").read_bytes())
    if words is None:
        assert "One more file" in let_one_file_in(deployed.home, f"\n{lines}\n")
        return
    with pytest.raises(TutorialError, match=words):
        let_one_file_in(deployed.home, lines)


def test_going_back_is_a_newer_release_that_is_live(deployed: Deployed) -> None:
    before = [RELEASE]
    with pytest.raises(TutorialError, match="No release came after v7"):
        go_back(deployed.home, before)
    newer = RELEASE | {"version": 8, "status": "succeeded", "description": "Set A config vars"}
    deployed.replies["/apps/reviews/releases"] = in_json([RELEASE, newer])
    with pytest.raises(TutorialError, match="v8 is 'Set A config vars'"):
        go_back(deployed.home, before)
    newer |= {"description": "Rollback to v4"}
    deployed.replies["/apps/reviews/releases"] = in_json([RELEASE, newer])
    assert go_back(deployed.home, before) == "v8 is live: Rollback to v4."
