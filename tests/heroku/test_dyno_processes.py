"""What runs in a dyno: what it finds, holds and prints, and how it ends with the platform."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_images import SERVER, in_a_loop, soon
from stage import LISTEN, WAIT, Stage, ask

from tutorial.heroku import dynos
from tutorial.heroku.dynos import run_one_off

# --- what a dyno finds


@in_a_loop
async def test_a_dyno_finds_its_settings_and_nothing_of_the_platforms(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEROKU_API_KEY", "TUTORIAL_HOME", "PYTHONPATH", "SOMETHING"):
        monkeypatch.setenv(name, "the-platforms-own")
    monkeypatch.setenv("TUTORIAL_SERVICE", "mark")
    image = stage.image(SERVER, ONE="image", TWO="image", STREAMLIT_SERVER_ADDRESS="0.0.0.0")  # noqa: S104
    config = {"TWO": "config", "THREE": "config", "PORT": "1", "STREAMLIT_SERVER_ADDRESS": "::"}
    await stage.dyno.replace(image, config, 7)
    host, port = await stage.dyno.address(30)
    found = await ask((host, port))
    expected = {"ONE": "image", "TWO": "config", "THREE": "config", "PORT": str(port)}
    expected |= {"DYNO": "web.1", "TUTORIAL_SERVICE": "mark"}
    expected |= {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    assert expected.items() <= found.items()
    assert Path(found["HOME"]).parent == stage.folder
    assert found["PATH"].startswith(f"{image.packages}/bin:")
    assert found.keys() <= {
        *expected,
        "HOME",
        "PATH",
        "LANG",
        "TMPDIR",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "LC_CTYPE",
    }
    assert (stage.dyno.state, stage.dyno.release) == ("up", 7)
    assert "State changed from starting to up" in stage.log.messages()
    await stage.dyno.stop()
    assert stage.log.messages()[-1] == "State changed from up to down"


@in_a_loop
async def test_no_config_var_is_logged_or_seen_in_a_list_of_processes(stage: Stage) -> None:
    await stage.dyno.replace(stage.image(SERVER), {"KEY": "s3cret-value"}, 1)
    await stage.dyno.address(30)
    commands = [part for process in stage.processes() for part in process.cmdline()]
    assert commands
    assert not any("s3cret" in part for part in commands)
    await stage.dyno.stop()
    assert stage.log.count("s3cret") == 0


@in_a_loop
async def test_nothing_in_the_image_or_its_settings_takes_the_leashs_place(stage: Stage) -> None:
    image = stage.image(SERVER, PYTHONPATH=".", PYTHONSTARTUP="server.py")
    (image.root / "app" / "tutorial").mkdir()
    (image.root / "app" / "tutorial" / "__init__.py").write_text("raise SystemExit('shadowed')")
    await stage.dyno.replace(image, {}, 1)
    await stage.dyno.address(30)
    await stage.dyno.stop()
    assert stage.log.count("shadowed") == 0


@in_a_loop
async def test_a_dyno_starts_with_an_empty_disk(stage: Stage) -> None:
    script = (
        LISTEN + "print(sorted(os.listdir('.')), os.listdir(os.environ['TMPDIR']), flush=True)\n"
    )
    script += "open('written', 'w'); open('server.py', 'a').write('#'); s = listen()" + WAIT
    script = script.replace("s = ", "open(os.environ['TMPDIR'] + '/x', 'w'); s = ")
    await stage.up(script)
    await stage.dyno.restart()
    await stage.dyno.address(30)
    await stage.dyno.stop()
    assert stage.log.messages("app") == ["['server.py'] []"] * 2
    assert list(stage.folder.iterdir()) == []


# --- memory


HOLD = LISTEN + "held = bytearray(b'x') * ({mb} << 20)\ns = listen()" + WAIT


@in_a_loop
async def test_r14_too_much_memory_is_logged_again_and_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynos, "MEMORY_SAMPLE", 0.05)
    monkeypatch.setattr(dynos, "MEMORY_REMINDER", 0.4)
    dyno = stage.new_dyno(memory_quota_mb=60)
    address = await stage.up(HOLD.format(mb=70))
    began = time.monotonic()
    await soon(lambda: stage.log.count("Error R14 (Memory quota exceeded)") == 3, "R14")
    assert time.monotonic() - began > 0.75  # no more often than that
    assert any(words.startswith("Process running mem=") for words in stage.log.messages())
    assert (dyno.state, dyno.reason) == ("up", "R14")
    assert await dyno.address(0) == address
    await dyno.stop()


@in_a_loop
async def test_r15_twice_the_memory_ends_the_dyno(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynos, "MEMORY_SAMPLE", 0.05)
    stage.new_dyno(memory_quota_mb=30)
    # The child is what holds it
    script = HOLD.format(mb=70).replace("held", "if os.fork(): time.sleep(600)\nheld")
    await stage.dyno.replace(stage.image(script), {}, 1)
    await soon(lambda: stage.log.count("to crashed") == 2, "crashed")
    assert "Error R15 (Memory quota vastly exceeded)" in stage.log.messages()
    assert "Process exited with status 137" in stage.log.messages()
    assert stage.dyno.reason == "R15"
    await stage.dyno.stop()


# --- what it prints


@in_a_loop
async def test_50_mb_of_output_neither_stops_the_dyno_nor_fills_the_log(stage: Stage) -> None:
    script = LISTEN + "s = listen()\nline = b'x' * 49 + b'\\n'\n"
    script += "for _ in range(50): sys.stdout.buffer.write(line * 20_000)\n"
    script += "sys.stdout.flush(); print('the end', flush=True)" + WAIT
    await stage.up(script)
    lagging = 0.0
    before = time.monotonic()

    def over() -> bool:
        nonlocal lagging, before
        lagging, before = max(lagging, time.monotonic() - before), time.monotonic()
        return bool(stage.log.count("Error L10"))

    def dropped() -> int:
        said = stage.log.messages("heroku", "logplex")
        return sum(int(words.split(": ")[1].split()[0]) for words in said)

    await soon(over, "the first lines were dropped", 60)
    await soon(
        lambda: dropped() + len(stage.log.messages("app")) == 1_000_001,
        "every line was kept, or counted as dropped",
    )
    assert len(stage.log.messages("app")) < 100_000
    assert lagging < 5  # others were served meanwhile
    await stage.dyno.stop()


@in_a_loop
async def test_long_lines_are_cut_and_odd_bytes_shown(stage: Stage) -> None:
    script = (
        LISTEN + "sys.stdout.buffer.write(b'a' * 25_000 + b'\\n\\xff\\r\\n\\nlast without end')\n"
    )
    await stage.dyno.replace(stage.image(script), {}, 1)
    await soon(lambda: stage.log.count("to crashed") == 2, "over")
    said = stage.log.messages("app")
    said = said[: len(said) // 2]  # it was run twice
    assert all(len(words) <= 10_000 for words in said)
    assert "".join(said) == "a" * 25_000 + "\ufffd" + "last without end"
    assert said[-3:] == ["\ufffd", "", "last without end"]
    await stage.dyno.stop()


# --- the platform ends


PLATFORM = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
from small_images import script_image
from tutorial.heroku.dynos import WebDyno
async def main():
    folder = pathlib.Path(sys.argv[2])
    image = script_image(folder / "image", sys.argv[4], pathlib.Path(sys.argv[3]), command=sys.argv[5])
    dyno = WebDyno(folder / "dyno", lambda *said: print(*said, file=sys.stderr))
    await dyno.replace(image, {}, 1)
    print(await dyno.address(30), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.parametrize("command", ["exec python server.py", "python server.py; true"])
def test_a_dyno_ends_with_a_platform_that_is_killed(
    stage: Stage, packages: Path, command: str
) -> None:
    given = [str(Path(__file__).parent), str(stage.folder.parent), str(packages), SERVER, command]
    with subprocess.Popen(
        [sys.executable, "-c", PLATFORM, *given], stdout=subprocess.PIPE, text=True
    ) as platform:
        assert platform.stdout
        assert platform.stdout.readline().startswith("('127.0.0.1'")
        assert len(stage.processes()) >= 2
        os.kill(platform.pid, signal.SIGKILL)
    asyncio.run(soon(lambda: not stage.processes(), "a process of the dyno's is left"))


@in_a_loop
async def test_what_a_killed_platform_left_is_cleared_before_a_dyno_starts(stage: Stage) -> None:
    # Given a process of a former dyno's that still runs, and its disk
    disk = stage.folder / "web.1-0000"
    disk.mkdir(parents=True)
    left = subprocess.Popen(["sleep", "600"], env={"HOME": str(disk), "PATH": os.environ["PATH"]})
    reaper = threading.Thread(target=left.wait)
    reaper.start()
    await stage.up(SERVER)
    reaper.join(10)
    assert left.returncode == -signal.SIGKILL
    assert not disk.exists()
    await stage.dyno.stop()


# --- one-off dynos


@in_a_loop
async def test_a_release_command_runs_in_the_new_image_with_its_config(stage: Stage) -> None:
    script = "import os, sys\nprint('PORT' in os.environ, os.environ['DYNO'], os.environ['KEY'], flush=True)\n"
    script += "print('trouble', file=sys.stderr)\nopen('written', 'w')\nsys.exit(int(os.environ['STATUS']))"
    image = stage.image(script, release_command="python server.py", STATUS="4")
    said: list[str] = []
    config = {"KEY": "value"}
    status = await run_one_off(image, config, "release.1", stage.log, said.append, stage.folder)
    assert status == 4
    assert said == ["False release.1 value", "trouble"]
    assert stage.log.messages("app", "release.1") == said
    assert stage.log.messages("heroku", "release.1") == [
        "State changed from down to starting",
        "Starting process with command `python server.py`",
        "State changed from starting to up",
        "Process exited with status 4",
        "State changed from up to complete",
    ]
    assert list(stage.folder.iterdir()) == []
    config = {"STATUS": "0", "KEY": ""}
    assert await run_one_off(image, config, "release.1", stage.log, said.append, stage.folder) == 0


@in_a_loop
async def test_a_release_command_that_is_broken_off_is_over(stage: Stage) -> None:
    image = stage.image("import time" + WAIT, release_command="python server.py; true")
    running = asyncio.create_task(
        run_one_off(image, {}, "release.1", stage.log, print, stage.folder)
    )
    await soon(lambda: len(stage.processes()) == 3, "it runs")
    running.cancel()
    await asyncio.wait({running})
    assert stage.processes() == []


@in_a_loop
async def test_a_release_command_has_its_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynos, "RELEASE_TIMEOUT", 0.5)
    image = stage.image("import time" + WAIT, release_command="python server.py")
    said: list[str] = []
    assert await run_one_off(image, {}, "release.1", stage.log, said.append, stage.folder) == 124
    # The shell that ran it may have the last word.
    told, *rest = said
    assert told == "The release command did not end in 0.5 seconds: it was stopped."
    assert rest in ([], ["Killed"])
