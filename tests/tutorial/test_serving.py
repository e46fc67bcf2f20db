"""The workspace's app runs on this machine, beside others, and ends when it should."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from small_server import Reply, in_json, small_server
from waiting import until

from tutorial import serving
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import PORT, RunningApp, app_to_ask, free_port, running_app, start_app

CARD = in_json({"status": "serving", "checked": "now"})
# Starts the app of the home that the environment names, says where it is, then waits.
STARTER = """
import signal
from tutorial.home import Home
from tutorial.serving import start_app
print(start_app(Home.current()).url, flush=True)
signal.pause()
"""


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.fixture
def taken() -> Iterator[int]:
    """The app's port, taken by somebody."""
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            somebody.bind(("127.0.0.1", PORT))
            somebody.listen()
        except OSError:
            pass  # it is taken already
        yield PORT


# --- it runs


def test_a_started_app_answers_people_and_machines(app: RunningApp) -> None:
    assert "<html" in requests.get(app.url, timeout=10).text
    card = app.card()
    assert card["status"] == "serving"
    assert card["uri"] == "models/sentiment.skops"
    found = running_app(app.home)
    assert found is not None
    assert found.url == app.url


def test_whoever_asks_finds_the_app_that_runs_and_leaves_it_running(app: RunningApp) -> None:
    with app_to_ask(app.home) as found:
        assert found.url == app.url
    assert answers(app.url)


def test_two_homes_run_side_by_side_and_a_taken_port_is_no_problem(
    app: RunningApp, finished: Home, taken: int
) -> None:
    # When a second home's app is started, the usual port being taken
    with app_to_ask(finished) as second:
        # Then it has an address of its own, and each home knows its own
        assert second.url not in (app.url, f"http://127.0.0.1:{taken}")
        found = [running_app(home) for home in (app.home, finished)]
        assert [one and one.url for one in found] == [app.url, second.url]
        assert second.card()["status"] == "serving"
    # And when the second ends, the first answers on
    assert not answers(second.url)
    assert running_app(finished) is None
    assert answers(app.url)


def test_a_port_that_another_app_takes_meanwhile_is_left_to_it(
    app: RunningApp, finished: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a port that was free, and that the app of another home has by the time ours binds it
    ports = iter([int(app.url.rpartition(":")[2])])
    monkeypatch.setattr(serving, "free_port", lambda preferred: next(ports, None) or free_port(0))
    # When ours is started
    with app_to_ask(finished) as ours:
        # Then it is ours that answers, elsewhere
        assert ours.url != app.url
        assert ours.card()["status"] == "serving"
    assert answers(app.url)


# --- it does not


def test_without_an_app_there_is_a_sentence(home: Home) -> None:
    with pytest.raises(TutorialError, match=r"no app/main\.py: build milestone 0 first"):
        start_app(home)
    assert running_app(home) is None


@pytest.mark.parametrize(
    ("file", "flaw", "words"),
    [
        ("settings.py", "\nraise RuntimeError('a typo')\n", "The app ended: RuntimeError: a typo"),
        ("main.py", "\nfrom app import nothing\n", "cannot import name 'nothing'"),
        ("main.py", "\ndef f(:\n", "SyntaxError"),
    ],
    ids=["a module that raises", "an import that fails", "a syntax error"],
)
def test_a_broken_app_is_told_in_its_own_words(
    finished: Home, file: str, flaw: str, words: str
) -> None:
    append(finished.workspace / "app" / file, flaw)
    with pytest.raises(TutorialError, match=words), app_to_ask(finished):
        pass
    assert finished.recall("app") is None


# --- it ends


def test_an_app_ends_with_the_process_that_started_it_however_that_ends(finished: Home) -> None:
    # Given a process that started the app
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        url = starter.stdout.readline().strip()
        assert answers(url)
        family = psutil.Process(starter.pid).children(recursive=True)
        # When it is killed
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    # Then the app ends, and the record that it left misleads nobody
    until(lambda: not any(p.is_running() for p in family), "a process is left", 20)
    assert not answers(url)
    assert finished.recall("app") is not None
    assert running_app(finished) is None


def test_a_stop_forgets_the_record_and_may_come_twice(home: Home) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        app = RunningApp("http://127.0.0.1:1", home, process)
        home.record("app", {"url": app.url, "pid": process.pid})
        app.stop()
        assert process.poll() is not None
        assert home.recall("app") is None
        app.stop()


def test_a_stop_leaves_the_record_of_a_later_app(home: Home) -> None:
    home.record("app", {"url": "http://127.0.0.1:2", "pid": 2})
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        RunningApp("http://127.0.0.1:1", home, process).stop()
    assert home.recall("app") == {"url": "http://127.0.0.1:2", "pid": 2}


# --- stale records


def test_the_record_of_a_process_that_ended_is_ignored(home: Home) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    with small_server({"/model": CARD}) as somebody_else:
        home.record("app", {"url": somebody_else.url, "pid": ended.pid})
        assert running_app(home) is None


def test_the_record_of_an_address_where_nobody_answers_is_ignored(home: Home) -> None:
    home.record("app", {"url": f"http://127.0.0.1:{free_port(0)}", "pid": os.getpid()})
    assert running_app(home) is None


@pytest.mark.parametrize(
    "reply",
    [Reply(b"<html>not ours</html>"), Reply(b"[]"), Reply(b"null"), Reply(b"gone", 404)],
    ids=["a page", "a list", "null", "404"],
)
def test_somebody_who_answers_nonsense_is_not_the_app(home: Home, reply: Reply) -> None:
    with small_server({"/model": reply}) as somebody_else:
        home.record("app", {"url": somebody_else.url, "pid": os.getpid()})
        assert running_app(home) is None
        with pytest.raises(TutorialError, match="does not answer: start it again"):
            RunningApp(somebody_else.url, home).card()


def test_an_app_without_a_model_answers_all_the_same(home: Home) -> None:
    card = {"status": "unavailable", "checked": "now", "problem": "There is no model."}
    with small_server({"/model": in_json(card, 503)}) as server:
        home.record("app", {"url": server.url, "pid": os.getpid()})
        found = running_app(home)
        assert found is not None
        assert found.card() == card


# --- ports


def test_a_free_port_is_taken_as_preferred() -> None:
    preferred = free_port(0)
    assert free_port(preferred) == preferred


@pytest.mark.parametrize("address", ["127.0.0.1", ""], ids=["loopback", "everywhere"])
def test_a_port_where_somebody_listens_is_not_free(address: str) -> None:
    with socket.socket() as somebody:
        somebody.bind((address, 0))
        somebody.listen()
        port = somebody.getsockname()[1]
        other = free_port(port)
        assert other in serving.SERVERS  # no client is given it while a server is down
    assert other not in (port, 0)
