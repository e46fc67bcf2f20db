"""SIGKILL of the platform at any time: what was acknowledged is there, what was under way has failed and says so."""

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import requests
from client import Client, slow_index, small_app

from conftest import RunningPlatform
from tests.tutorial.waiting import until

SENTENCE = "interrupted: the platform stopped while this was under way: deploy again."


def answers(api: Client, name: str) -> str:
    """What the app answers."""
    return str(requests.get(api.get(f"/apps/{name}")["web_url"], timeout=60).json()["text"])


def logged(platform: RunningPlatform) -> int:
    """How many lines of logs are on disk."""
    with closing(sqlite3.connect(platform.state / "logs.sqlite")) as logs:
        return int(logs.execute("SELECT count(*) FROM lines").fetchone()[0])


def test_all_that_was_acknowledged_is_there_after_a_sigkill(platform: RunningPlatform) -> None:
    api = platform.start()
    api.create("lasting-app")
    api.patch("/apps/lasting-app/config-vars", {"GREETING": "hello"})
    source = api.upload(small_app("two"))
    api.deploy("lasting-app", small_app("one"))
    assert answers(api, "lasting-app") == "one"
    kept = ("", "/config-vars", "/formation")
    before = [api.get(f"/apps/lasting-app{path}") for path in kept]
    releases = [(r["id"], r["description"]) for r in api.get("/apps/lasting-app/releases")]
    said = api.log("lasting-app")
    until(lambda: logged(platform) >= len(said), "the log is on disk")
    api.patch("/apps/lasting-app/config-vars", {"LAST": "1"})
    platform.kill()

    api = platform.start()
    assert answers(api, "lasting-app") == "one"
    after = [api.get(f"/apps/lasting-app{path}") for path in kept]
    assert after[1] == {"GREETING": "hello", "LAST": "1"}
    assert after[0]["web_url"] == before[0]["web_url"]
    assert after[2][0]["command"] == before[2][0]["command"]
    assert [(r["id"], r["description"]) for r in api.get("/apps/lasting-app/releases")][
        :-1
    ] == releases
    assert api.get("/apps/lasting-app/dynos")[0]["release"]["version"] == 5
    assert api.log("lasting-app")[: len(said)] == said
    build = api.post("/apps/lasting-app/builds", {"source_blob": {"url": source}})
    requests.get(build["output_stream_url"], timeout=60)
    until(lambda: answers(api, "lasting-app") == "two", "a source from before the kill is built")


def test_a_build_that_is_killed_has_failed_and_the_next_one_works(
    platform: RunningPlatform,
) -> None:
    api = platform.start()
    api.create("killed-app")
    api.deploy("killed-app", small_app("one"))
    with slow_index() as index:
        build = api.start_build("killed-app", index.app())
        waiting = api.start_build("killed-app", small_app("two"))
        assert index.asked.wait(60)
        platform.kill()
    api = platform.start()
    for each in (build, waiting):
        assert api.get(f"/apps/killed-app/builds/{each['id']}")["status"] == "failed"
        output = requests.get(each["output_stream_url"], timeout=60).text
        assert output.splitlines()[-1] == f" !     {SENTENCE}"
    assert answers(api, "killed-app") == "one"
    api.deploy("killed-app", small_app("two"))
    until(lambda: answers(api, "killed-app") == "two", "the next build is live")


def test_a_release_phase_that_is_killed_leaves_the_former_release(
    platform: RunningPlatform,
) -> None:
    api = platform.start()
    api.create("phase-app")
    api.deploy("phase-app", small_app("one"))
    phase = "import time\nprint('it begins', flush=True)\ntime.sleep(600)\n"
    build, _ = api.build("phase-app", small_app("two", "python3 phase.py", phase__py=phase))
    release = api.get(f"/apps/phase-app/releases/{build['release']['id']}")
    with requests.get(release["output_stream_url"], stream=True, timeout=60) as response:
        assert next(response.iter_lines(chunk_size=1)) == b"it begins"
    platform.kill()
    api = platform.start()
    release = api.get(f"/apps/phase-app/releases/{release['id']}")
    assert (release["status"], release["current"]) == ("failed", False)
    output = requests.get(release["output_stream_url"], timeout=60).text
    assert output.splitlines() == ["it begins", f" !     {SENTENCE}"]
    assert answers(api, "phase-app") == "one"


def test_a_clean_stop_ends_streams_and_says_what_it_interrupted(platform: RunningPlatform) -> None:
    api = platform.start()
    api.create("stopped-app")
    api.deploy("stopped-app", small_app())
    assert answers(api, "stopped-app") == "one"
    session = {"tail": True, "lines": 1}
    tail = api.post("/apps/stopped-app/log-sessions", session)["logplex_url"]
    with slow_index() as index:
        build = api.start_build("stopped-app", index.app())
        assert index.asked.wait(60)
        with requests.get(tail, stream=True, timeout=60) as response:
            assert platform.stop() == 0
            assert response.text
    api = platform.start()
    assert api.get(f"/apps/stopped-app/builds/{build['id']}")["status"] == "failed"
    assert SENTENCE in requests.get(build["output_stream_url"], timeout=60).text
    assert [line for line in api.log("stopped-app") if "Process exited with status" in line]
    assert "Traceback" not in platform.said()


def test_an_app_gets_another_port_where_its_own_was_taken_meanwhile(
    platform: RunningPlatform,
) -> None:
    api = platform.start()
    before = api.create("moved-app")["web_url"]
    platform.stop()
    with socket.create_server(("127.0.0.1", int(before.strip("/").rpartition(":")[2]))):
        api = platform.start()
        after = api.get("/apps/moved-app")["web_url"]
        assert after != before
        assert requests.get(after, timeout=60).status_code == 503
        platform.stop()
    assert platform.start().get("/apps/moved-app")["web_url"] == after


def test_there_is_no_way_back_to_an_image_that_is_gone(platform: RunningPlatform) -> None:
    api = platform.start()
    api.create("gone-app")
    first = api.deploy("gone-app", small_app("one"))
    second = api.deploy("gone-app", small_app("two"))
    for manifest in (platform.state / "images").glob("*/manifest.json"):
        if "one" in (manifest.parent / "root" / "app" / "server.py").read_text(encoding="utf-8"):
            shutil.rmtree(manifest.parent)
    answer = api.ask("POST", "/apps/gone-app/releases", {"release": first["id"]})
    assert (answer.status, answer.body["id"]) == (422, "invalid_params")
    assert "image" in answer.body["message"]
    eligible = [
        r["version"] for r in api.get("/apps/gone-app/releases") if r["eligible_for_rollback"]
    ]
    assert eligible == [second["version"]]
    assert answers(api, "gone-app") == "two"


def test_what_it_keeps_is_for_its_owner_alone(platform: RunningPlatform) -> None:
    api = platform.start()
    api.create("private-app")
    api.deploy("private-app", small_app())
    files = [path for path in platform.state.iterdir() if path.is_file()]
    assert {"platform.sqlite", "logs.sqlite"} <= {path.name for path in files}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files if path.name != "lock"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(platform.state.stat().st_mode) == 0o700


def start(*arguments: str, key: str = "key") -> "subprocess.CompletedProcess[str]":
    """Run the service where it cannot start."""
    command = [sys.executable, "-m", "tutorial.heroku", *arguments]
    environment = {**os.environ, "HEROKU_API_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def refused(done: "subprocess.CompletedProcess[str]", words: str) -> None:
    """It ended with one sentence that says so."""
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_says_in_a_sentence_why_it_does_not_start(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    state = str(tmp_path / "other")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(start("--port", port, "--state", state), f"Port {port} cannot be used")
    refused(start("--port", "99999", "--state", state), "Port 99999 cannot be used")
    refused(start("--port", "0", "--state", state, key=""), "HEROKU_API_KEY is not set")
    platform.start()
    refused(start("--port", "0", "--state", str(platform.state)), "Another platform runs")
    (tmp_path / "other").mkdir(exist_ok=True)
    (tmp_path / "other" / "platform.sqlite").write_bytes(b"not a database" * 100)
    refused(start("--port", "0", "--state", state), "cannot be read")


def test_its_key_is_in_no_environment_and_no_argument(platform: RunningPlatform) -> None:
    api = platform.start()
    api.create("secret-app")
    show = "import os\nprint(sorted(os.environ.items()), flush=True)\n"
    api.deploy("secret-app", small_app("one", "python3 show.py", show__py=show, server__py=show))
    until(
        lambda: any("app[web.1]: [" in line for line in api.log("secret-app")),
        "the dyno has said it",
    )
    assert api.key not in "".join(api.log("secret-app")) + platform.said()
