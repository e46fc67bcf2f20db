"""What `scripts/deploy.py` sends, what it makes of odd answers, and what it says when there is nothing to deploy."""

import hashlib
import io
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from contract import check_request
from deploy_repository import KEY, PROJECT, Repository
from fake_platform import FakePlatform, Reply, dyno, release

APP = "/apps/review-app"
BUILDS = f"POST {APP}/builds"
ROLLBACK = f"POST {APP}/releases"


def tarball_of(fake: FakePlatform) -> dict[str, bytes]:
    """Return the files that were uploaded, by name."""
    with tarfile.open(fileobj=io.BytesIO(fake.one("PUT /put").body)) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames())), "a file is there twice"
        files = {entry.name: tar.extractfile(entry) for entry in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file}


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"60 s are over: {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["Dockerfile", "heroku.yml", ".dockerignore", "scripts/deploy.py"])
def test_what_a_reader_writes_fits_a_cell(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert text == text.strip() + "\n"


def test_a_deploy_that_goes_well(repository: Repository, fake: FakePlatform) -> None:
    said = repository.deploy()
    assert (said.status, said.err) == (0, "")
    for line in ("Step 1", "Step 2", "v4 (Deploy 4) is released", fake.url, "abcdef012345"):
        assert line in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert fake.count(ROLLBACK) == 0


def test_a_release_that_crashes_is_rolled_back(
    repository: Repository, fake: FakePlatform, nobody: Path
) -> None:
    # What the Heroku CLI leaves at home must not be sent, to whomever.
    netrc = nobody / ".netrc"
    netrc.write_text("machine 127.0.0.1 login reader password another-key\n", encoding="utf-8")
    netrc.chmod(0o600)
    fake.crash()
    said = repository.deploy()
    assert said.status == 1
    assert said.err == "v4 does not serve: its web dyno is crashed. v5 is live.\n"
    assert "it went bang" in said.out
    assert "v5 serves" in said.out
    assert fake.one(ROLLBACK).json == {"release": release(3)["id"]}
    keeps_to_the_contract(fake)


def keeps_to_the_contract(fake: FakePlatform) -> None:
    """What went to the platform is as published, and nobody else got the key."""
    foreign = [asked for asked in fake.asked if asked.path in ("/put", "/output", "/log", "/model")]
    assert {asked.path for asked in foreign} == {"/put", "/output", "/log", "/model"}
    assert [asked.path for asked in foreign if "Authorization" in asked.headers] == []
    for asked in fake.asked:
        if asked not in foreign:
            check_request(asked.method, asked.path, asked.json)
            assert asked.headers["Accept"] == "application/vnd.heroku+json; version=3"
            assert asked.headers["Authorization"] == f"Bearer {KEY}"


def test_the_commit_is_deployed_and_nothing_else(
    repository: Repository, fake: FakePlatform
) -> None:
    commit = repository.git("rev-parse", "HEAD").strip()
    committed = set(repository.git("ls-files").split())
    (repository.root / "server.py").write_text("half an idea", encoding="utf-8")
    (repository.root / "secret.txt").write_text("hush", encoding="utf-8")
    said = repository.deploy()
    assert said.status == 0
    assert "Not committed" in said.out
    assert "server.py" in said.out
    assert "secret.txt" in said.out
    files = tarball_of(fake)
    assert set(files) == committed | {"models/sentiment.skops"}
    assert files["server.py"] != b"half an idea"
    assert files["models/sentiment.skops"] == b"digest-one"
    source = fake.one(BUILDS).json["source_blob"]
    digest = hashlib.sha256(fake.one("PUT /put").body).hexdigest()
    assert source == {
        "url": f"{fake.url}/get",
        "checksum": f"SHA256:{digest}",
        "version": commit,
    }


@pytest.mark.parametrize(
    "uri", ["s3://bucket/models/sentiment.skops", "models:/sentiment@champion"]
)
def test_a_model_from_elsewhere_stays_there(
    repository: Repository, fake: FakePlatform, uri: str
) -> None:
    fake.answer(f"GET {APP}/config-vars", Reply({"MODEL_URI": uri}))
    assert repository.deploy().status == 0
    assert "models/sentiment.skops" not in tarball_of(fake)


def test_a_model_that_git_has_is_deployed_as_committed(
    repository: Repository, fake: FakePlatform
) -> None:
    (repository.root / "small.skops").write_text("committed", encoding="utf-8")
    repository.commit()
    (repository.root / "small.skops").write_text("changed", encoding="utf-8")
    fake.answer(f"GET {APP}/config-vars", Reply({"MODEL_URI": "small.skops"}))
    assert repository.deploy().status == 0
    files = tarball_of(fake)
    assert files["small.skops"] == b"committed"
    assert set(files) == set(repository.git("ls-files").split())


def test_a_model_that_is_not_there(repository: Repository, fake: FakePlatform) -> None:
    (repository.root / "models" / "sentiment.skops").unlink()
    said = repository.deploy()
    assert said.status == 1
    assert "models/sentiment.skops" in said.err
    assert "train" in said.err
    assert fake.count(BUILDS) == 0


@pytest.mark.parametrize("missing", ["HEROKU_APP_NAME", "HEROKU_API_KEY"])
def test_a_setting_that_is_missing_is_named(repository: Repository, missing: str) -> None:
    repository.settings[missing] = ""
    said = repository.deploy()
    assert said.status == 1
    assert missing in said.err


def test_a_key_that_no_header_can_hold_is_not_printed(
    repository: Repository, fake: FakePlatform
) -> None:
    repository.settings["HEROKU_API_KEY"] = f"{KEY}\nX-More: 1"
    said = repository.deploy()
    assert said.status == 1
    assert "HEROKU_API_KEY" in said.err
    assert fake.asked == []


@pytest.mark.parametrize("state", ["no repository", "no commit"])
def test_nothing_to_deploy(repository: Repository, fake: FakePlatform, state: str) -> None:
    (repository.root / ".git").rename(repository.root.parent / "former.git")
    if state == "no commit":
        repository.git("init", "-q")
    said = repository.deploy()
    assert said.status == 1
    assert "git commit" in said.err
    assert fake.count("POST /sources") == 0


@pytest.mark.parametrize(
    ("request_", "reply", "named"),
    [
        (f"GET {APP}/config-vars", Reply({"id": "unauthorized", "message": "No."}, 401), "KEY"),
        (
            f"GET {APP}/config-vars",
            Reply({"id": "not_found", "resource": "app", "message": "No."}, 404),
            "heroku create",
        ),
        (f"GET {APP}/config-vars", Reply(b"<html>Hello</html>"), "HEROKU_API_URL"),
        (BUILDS, Reply({"id": "forbidden", "message": "You are over quota."}, 403), "over quota"),
        ("PUT /put", Reply(b"it is too large", 413), "too large"),
        ("PUT /put", Reply(b"", cut=0), "upload was cut"),
    ],
)
def test_what_the_platform_refuses_is_said(
    repository: Repository, fake: FakePlatform, request_: str, reply: Reply, named: str
) -> None:
    fake.answer(request_, reply)
    said = repository.deploy()
    assert said.status == 1
    assert named in said.err
    assert fake.count(ROLLBACK) == 0


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:99999", "http://[::1"])
def test_an_address_that_is_none_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / "scripts"))
    import heroku

    monkeypatch.setattr(heroku.time, "sleep", lambda seconds: pytest.fail("it waits"))
    settings = {"HEROKU_APP_NAME": "x", "HEROKU_API_KEY": KEY, "HEROKU_API_URL": address}
    with pytest.raises(heroku.HerokuError, match="HEROKU_API_URL"):
        heroku.App(settings).config()


def test_a_stack_that_builds_no_containers(repository: Repository, fake: FakePlatform) -> None:
    fake.answer(f"GET {APP}", Reply({"build_stack": {"name": "heroku-24"}, "web_url": "http://x/"}))
    said = repository.deploy()
    assert said.status == 1
    assert "heroku stack:set container" in said.err
    assert fake.count("POST /sources") == 0


def test_a_platform_that_is_away_for_a_while_is_waited_for(
    repository: Repository, fake: FakePlatform
) -> None:
    build = fake.answers[f"GET {APP}/builds/build-1"]
    fake.answer(
        f"GET {APP}/builds/build-1",
        Reply(b"", cut=0),
        Reply(b"starting", 503),
        Reply(b"", 502),
        *build,
    )
    dynos = fake.answers[f"GET {APP}/dynos"]
    fake.answer(f"GET {APP}/dynos", Reply(b"", cut=0), *dynos)
    said = repository.deploy()
    assert (said.status, said.err) == (0, "")
    assert fake.count(BUILDS) == 1


@pytest.mark.parametrize("reply", [Reply(b"", cut=0), Reply(b"away", 503)])
def test_what_makes_something_is_asked_for_once(
    repository: Repository, fake: FakePlatform, reply: Reply
) -> None:
    fake.answer(BUILDS, reply)
    said = repository.deploy()
    assert said.status == 1
    assert fake.count(BUILDS) == 1
    assert "v4 is live" in said.err


def test_output_that_is_cut_goes_on_where_it_stopped(
    repository: Repository, fake: FakePlatform
) -> None:
    whole = Reply(b"Step 1\nStep 2\nStep 3\n")
    fake.answer("GET /output", Reply(b"", 404), Reply(whole.content, cut=14), whole)
    build = fake.answers[f"GET {APP}/builds/build-1"]
    fake.answer(f"GET {APP}/builds/build-1", build[0], build[0], build[0], build[1])
    said = repository.deploy()
    assert said.status == 0
    assert [line for line in said.out.splitlines() if line.startswith("Step")] == [
        "Step 1",
        "Step 2",
        "Step 3",
    ]


def test_output_is_shown_while_it_comes(repository: Repository, fake: FakePlatform) -> None:
    shown = threading.Event()

    def finish() -> Reply:
        assert shown.wait(30)
        return build[1] if isinstance(build[1], Reply) else build[1]()

    build = fake.answers[f"GET {APP}/builds/build-1"]
    fake.answer(f"GET {APP}/builds/build-1", build[0], finish)
    process = repository.start()
    assert process.stdout
    lines = []
    while "Step 2\n" not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], "the script ended before the build did"
    shown.set()
    assert repository.end(process).status == 0


def test_a_build_that_fails_says_its_last_line(repository: Repository, fake: FakePlatform) -> None:
    failed = {"status": "failed", "output_stream_url": f"{fake.url}/output", "release": None}
    fake.answer(f"GET {APP}/builds/build-1", Reply(failed))
    fake.answer("GET /output", Reply(b"Step 1\n !     There is no file x.\n"))
    fake.answer(f"GET {APP}/releases", Reply([release(3)]))
    said = repository.deploy()
    assert said.status == 1
    assert said.err == "The build failed: There is no file x. v3 is live.\n"
    assert fake.count(ROLLBACK) == 0


def test_an_answer_of_the_old_dyno_does_not_count(
    repository: Repository, fake: FakePlatform
) -> None:
    asked_before: list[int] = []

    def new_dyno() -> Reply:
        asked_before.append(fake.count("GET /model"))
        return Reply([dyno(4)])

    fake.answer(
        f"GET {APP}/dynos", Reply([dyno(3)]), Reply([]), Reply([dyno(4, "starting")]), new_dyno
    )
    assert repository.deploy().status == 0
    assert asked_before[0] == 0


def test_a_first_release_has_nothing_to_go_back_to(
    repository: Repository, fake: FakePlatform
) -> None:
    settings_alone = release(1, slug=None, description="Initial release")
    fake.answer(f"GET {APP}/releases", Reply([settings_alone, release(4)]))
    fake.answer(f"GET {APP}/dynos", Reply([dyno(4, "crashed")]))
    said = repository.deploy()
    assert said.status == 1
    assert "There is no former release to go back to." in said.err
    assert "v4 does not serve" in said.out + said.err
    assert fake.count(ROLLBACK) == 0


@pytest.mark.parametrize("newer", ["is up", "is in its release phase"])
def test_somebody_elses_newer_release_is_left_alone(
    repository: Repository, fake: FakePlatform, newer: str
) -> None:
    up = newer == "is up"
    theirs = release(6, status="succeeded" if up else "pending")
    fake.answer(f"GET {APP}/releases", Reply([theirs, release(4), release(3)]))
    fake.answer(f"GET {APP}/dynos", Reply([dyno(6) if up else dyno(4, "crashed")]))
    said = repository.deploy()
    assert said.status == 1
    assert "v4 was superseded by v6." in said.err
    assert fake.count(ROLLBACK) == 0


def test_a_newer_release_that_failed_supersedes_nothing(
    repository: Repository, fake: FakePlatform
) -> None:
    fake.crash(release(6, status="failed"))
    assert repository.deploy().status == 1
    assert fake.one(ROLLBACK).json == {"release": release(3)["id"]}


def test_going_back_twice_goes_back_further(repository: Repository, fake: FakePlatform) -> None:
    back = release(5, description="Rollback to v3")
    fake.answer(f"GET {APP}/releases", Reply([back, release(4), release(3), release(2)]))
    fake.answer(ROLLBACK, Reply(release(6, description="Rollback to v2"), 201))
    fake.answer(f"GET {APP}/releases/{release(6)['id']}", Reply(release(6)))
    fake.answer(f"GET {APP}/dynos", Reply([dyno(6)]))
    assert repository.deploy("--rollback").status == 0
    assert fake.one(ROLLBACK).json == {"release": release(2)["id"]}


def test_going_back_by_number(repository: Repository, fake: FakePlatform) -> None:
    fake.answer(f"GET {APP}/releases/2", Reply(release(2)))
    fake.answer(f"GET {APP}/dynos", Reply([dyno(5)]))
    said = repository.deploy("--rollback", "v2")
    assert said.status == 0
    assert fake.one(ROLLBACK).json == {"release": release(2)["id"]}
    assert "v5 serves, after " in said.out


@pytest.mark.parametrize("dynos", [[], [dyno(4, "starting")], [dyno(4)]])
def test_a_release_that_never_serves(fake: FakePlatform, dynos: list[object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT / "scripts"))
        from heroku import App, HerokuError

    fake.answer(f"GET {APP}/dynos", Reply(dynos))
    fake.answer("GET /model", Reply({"status": "unavailable", "problem": "No model."}, 503))
    app = App({"HEROKU_APP_NAME": "review-app", "HEROKU_API_KEY": KEY, "HEROKU_API_URL": fake.url})
    with pytest.raises(HerokuError, match=r"v4 does not serve: .+\.$") as refused:
        app.serving(release(4), seconds=0.1)
    if dynos == [dyno(4)]:
        assert "No model" in str(refused.value)


def test_ctrl_c_says_that_the_build_goes_on(repository: Repository, fake: FakePlatform) -> None:
    fake.answer(f"GET {APP}/builds/build-1", fake.answers[f"GET {APP}/builds/build-1"][0])
    process = repository.start()
    until(lambda: fake.count(f"GET {APP}/builds/build-1") > 2, "the build is followed")
    process.send_signal(signal.SIGINT)
    said = repository.end(process)
    assert said.status == 1
    assert "goes on" in said.err
    assert fake.count(ROLLBACK) == 0


def test_help_names_the_settings() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "deploy.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--rollback" in done.stdout
    assert "HEROKU_API_KEY" in done.stdout


def test_the_key_is_in_no_argument_list(repository: Repository, fake: FakePlatform) -> None:
    import psutil

    lists: list[str] = []

    def look() -> Reply:
        process = psutil.Process(repository.processes[0].pid)
        family = [process, *process.children(recursive=True)]
        lists.extend(" ".join(member.cmdline()) for member in family)
        return Reply([dyno(4)])

    fake.answer(f"GET {APP}/dynos", look)
    assert repository.deploy().status == 0
    assert lists
    assert not [arguments for arguments in lists if KEY in arguments]
