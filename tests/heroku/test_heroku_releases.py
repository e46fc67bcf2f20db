"""From a source to a running dyno: builds, release phases, what is live when something fails, and the way back."""

from typing import Any

import requests
from client import Client, slow_index, small_app

from tests.tutorial.small_server import Reply, small_server
from tests.tutorial.waiting import until


def shown(api: Client, name: str) -> Any:
    """What the app answers."""
    return requests.get(api.get(f"/apps/{name}")["web_url"], timeout=60).json()


def current(api: Client, name: str) -> Any:
    """The app's current release."""
    return next(r for r in api.get(f"/apps/{name}/releases") if r["current"])


def test_a_build_makes_a_release_that_answers(api: Client) -> None:
    api.create("built-app")
    commit = "0123456789abcdef0123456789abcdef01234567"
    api.patch("/apps/built-app/config-vars", {"GREETING": "hello"})
    release = api.deploy("built-app", small_app("one"), commit)
    assert (release["status"], release["version"], release["current"]) == ("succeeded", 4, True)
    assert release["description"] == "Deploy 01234567"
    assert release["output_stream_url"] is None
    assert shown(api, "built-app") == {"text": "one", "greeting": "hello"}
    slug = api.get(f"/apps/built-app/slugs/{release['slug']['id']}")
    assert (slug["commit"], slug["process_types"]) == (commit, {"web": "exec python3 server.py"})
    assert api.get("/apps/built-app/formation")[0]["quantity"] == 1
    dyno = until(lambda: api.get("/apps/built-app/dynos"), "the dyno runs")[0]
    assert dyno["release"] == {"id": release["id"], "version": 4}


def test_a_changed_config_var_reaches_the_dyno(api: Client) -> None:
    api.create("changed-app")
    api.deploy("changed-app", small_app())
    api.patch("/apps/changed-app/config-vars", {"GREETING": "hello"})
    until(lambda: shown(api, "changed-app")["greeting"] == "hello", "the dyno has the variable")
    assert current(api, "changed-app")["description"] == "Set GREETING config vars"


def test_builds_that_fail_say_why_and_change_nothing(api: Client) -> None:
    name = api.create("broken-app")["name"]
    api.deploy(name, small_app("one"))
    before = current(api, name)
    for tarball, words in (
        (b"not a tarball", "gzip"),
        (small_app(Dockerfile="FROM a\nCOPY nothing.py .\nCMD x\n"), "nothing.py"),
        (small_app(heroku__yml="build: [\n"), "heroku.yml"),
    ):
        build, output = api.build(name, tarball)
        last = output.rstrip().splitlines()[-1]
        assert build["status"] == "failed"
        assert build["release"] is None
        assert last.startswith(" !     ")
        assert words in last
    assert current(api, name) == before
    assert shown(api, name)["text"] == "one"


def test_a_source_that_is_not_there_or_not_the_one_named_is_not_built(api: Client) -> None:
    name = api.create("checked-app")["name"]
    nowhere = api.post(f"/apps/{name}/sources")["source_blob"]["get_url"]
    wrong = {"url": api.upload(small_app()), "checksum": "SHA256:" + "0" * 64}
    for blob in ({"url": nowhere}, wrong):
        build = api.post(f"/apps/{name}/builds", {"source_blob": blob})
        output = requests.get(build["output_stream_url"], timeout=60).text
        assert api.get(f"/apps/{name}/builds/{build['id']}")["status"] == "failed"
        assert "upload" in output.splitlines()[-1]


def test_only_containers_are_built(api: Client) -> None:
    name = api.post("/apps", {"name": "buildpack-app"})["name"]
    build, output = api.build(name, small_app())
    assert build["status"] == "failed"
    assert "container" in output
    api.patch(f"/apps/{name}", {"build_stack": "container"})
    assert api.deploy(name, small_app())["status"] == "succeeded"
    assert api.get(f"/apps/{name}")["stack"]["name"] == "container"


def test_output_streams_as_it_happens_and_builds_come_one_after_another(api: Client) -> None:
    name = api.create("stream-app")["name"]
    with slow_index() as index:
        build = api.start_build(name, index.app())
        second = api.start_build(name, small_app("two"))
        with requests.get(build["output_stream_url"], stream=True, timeout=60) as response:
            lines = response.iter_lines(decode_unicode=True)
            assert next(lines).startswith("-----> Building")
            assert index.asked.wait(60)
            # While the first is under way, the second has not begun.
            assert api.get(f"/apps/{name}/builds/{build['id']}")["status"] == "pending"
            assert api.get(f"/apps/{name}/builds/{second['id']}")["status"] == "pending"
            index.go.set()
            assert list(lines)[-1].startswith(" !     ")
        assert api.get(f"/apps/{name}/builds/{build['id']}")["status"] == "failed"
        output = requests.get(second["output_stream_url"], timeout=60).text
    assert output.splitlines()[0].startswith("-----> Building")
    assert shown(api, name)["text"] == "two"


def test_the_release_phase_comes_first_with_the_new_image_and_configuration(api: Client) -> None:
    name = api.create("phase-app")["name"]
    api.patch(f"/apps/{name}/config-vars", {"GREETING": "hello"})
    phase = "import os\nprint('greets', os.environ['GREETING'])\n"
    release = api.deploy(name, small_app("one", "python3 phase.py", phase__py=phase))
    assert (release["status"], release["output"]) == ("succeeded", "greets hello\n")
    assert shown(api, name)["text"] == "one"
    assert any("app[release.1]: greets hello" in line for line in api.log(name))


def test_a_release_phase_that_fails_leaves_the_former_release_and_its_dyno(api: Client) -> None:
    name = api.create("kept-app")["name"]
    former = api.deploy(name, small_app("one"))
    until(lambda: api.get(f"/apps/{name}/dynos")[0]["state"] == "up", "the dyno is up")
    dyno = api.get(f"/apps/{name}/dynos")
    failed = api.deploy(name, small_app("two", "python3 phase.py", phase__py="raise SystemExit(3)"))
    assert (failed["status"], failed["current"]) == ("failed", False)
    assert "status 3" in failed["output"].splitlines()[-1]
    assert current(api, name)["id"] == former["id"]
    assert api.get(f"/apps/{name}/dynos") == dyno
    assert shown(api, name)["text"] == "one"
    assert api.ask("POST", f"/apps/{name}/releases", {"release": failed["id"]}).status == 422


def test_a_release_phase_is_seen_while_it_runs(api: Client) -> None:
    name = api.create("seen-app")["name"]
    with small_server({}) as server:
        phase = f"""
import time, urllib.error, urllib.request
while True:
    try:
        urllib.request.urlopen("{server.url}/go")
        break
    except urllib.error.HTTPError:
        time.sleep(0.05)
"""
        build, _ = api.build(name, small_app("one", "python3 phase.py", phase__py=phase))
        path = f"/apps/{name}/releases/{build['release']['id']}"
        dyno = until(lambda: api.get(f"/apps/{name}/dynos"), "the release phase runs")[0]
        assert (dyno["name"], dyno["command"]) == ("release.1", "python3 phase.py")
        pending = api.get(path)
        assert (pending["status"], pending["current"]) == ("pending", False)
        # What is released meanwhile waits for its turn, and is of the slug that is current then.
        api.patch(f"/apps/{name}/config-vars", {"GREETING": "later"})
        later = api.get(f"/apps/{name}/releases")[-1]
        assert (later["status"], later["slug"]) == ("pending", pending["slug"])
        server.replies = {"/go": Reply()}
        until(lambda: current(api, name)["id"] == later["id"], "both release phases have ended")
    assert api.get(path)["status"] == "succeeded"
    assert shown(api, name) == {"text": "one", "greeting": "later"}


def test_a_change_behind_a_release_that_fails_is_one_of_the_former_slug(api: Client) -> None:
    name = api.create("behind-app")["name"]
    former = api.deploy(name, small_app("one"))
    with small_server({}) as server:
        phase = f"""
import sys, time, urllib.error, urllib.request
while True:
    try:
        urllib.request.urlopen("{server.url}/go")
        sys.exit(1)
    except urllib.error.HTTPError:
        time.sleep(0.05)
"""
        api.build(name, small_app("two", "python3 phase.py", phase__py=phase))
        api.patch(f"/apps/{name}/config-vars", {"GREETING": "later"})
        server.replies = {"/go": Reply()}
        until(lambda: current(api, name)["version"] > former["version"], "the change is live")
    assert current(api, name)["slug"] == former["slug"]
    until(lambda: shown(api, name) == {"text": "one", "greeting": "later"}, "it answers")


def test_rollback_is_a_new_release_with_the_former_slug_and_configuration(api: Client) -> None:
    name = api.create("back-app")["name"]
    api.patch(f"/apps/{name}/config-vars", {"GREETING": "old"})
    first = api.deploy(name, small_app("one"))
    api.patch(f"/apps/{name}/config-vars", {"GREETING": "new", "MORE": "1"})
    api.deploy(name, small_app("two"))
    assert shown(api, name) == {"text": "two", "greeting": "new"}
    back = api.post(f"/apps/{name}/releases", {"release": first["id"]})
    assert back["description"] == f"Rollback to v{first['version']}"
    assert back["slug"] == first["slug"]
    until(lambda: shown(api, name) == {"text": "one", "greeting": "old"}, "the old one answers")
    assert current(api, name)["version"] == back["version"] == first["version"] + 3
    assert api.get(f"/apps/{name}/config-vars") == {"GREETING": "old"}


def test_there_is_no_way_back_to_what_was_never_deployed(api: Client) -> None:
    name = api.create("never-app")["name"]
    initial = api.get(f"/apps/{name}/releases/1")
    assert not initial["eligible_for_rollback"]
    answer = api.ask("POST", f"/apps/{name}/releases", {"release": initial["id"]})
    assert (answer.status, answer.body["id"]) == (422, "invalid_params")
    nowhere = {"release": "01234567-89ab-cdef-0123-456789abcdef"}
    assert api.ask("POST", f"/apps/{name}/releases", nowhere).status == 404
    assert api.ask("POST", f"/apps/{name}/releases", {}, hold=False).status == 422


def test_a_release_whose_dyno_crashes_stays_current(api: Client) -> None:
    name = api.create("crashing-app")["name"]
    api.deploy(name, small_app("one"))
    crashing = api.deploy(name, small_app(server__py="raise SystemExit('no')"))
    assert crashing["current"]
    until(lambda: api.get(f"/apps/{name}/dynos")[0]["state"] == "crashed", "the dyno has crashed")
    assert requests.get(api.get(f"/apps/{name}")["web_url"], timeout=60).status_code == 503
    assert current(api, name)["id"] == crashing["id"]
    assert any("code=H10" in line for line in api.log(name))


def test_a_dyno_that_never_binds_its_port_is_down_and_current(api: Client) -> None:
    name = api.create("unbound-app")["name"]
    release = api.deploy(name, small_app(server__py="import time\ntime.sleep(600)"))
    until(lambda: any("Error R10" in line for line in api.log(name)), "R10")
    assert current(api, name)["id"] == release["id"]
