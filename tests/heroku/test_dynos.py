"""Dynos: how they boot, crash, outgrow their memory, stop and start again, and what they find around them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from small_images import SERVER, Remembered, in_a_loop, processes_in, script_image, soon

from tutorial.heroku import dyno_process, dynos
from tutorial.heroku.dynos import DynoDownError, WebDyno, run_one_off
from tutorial.heroku.images import Image
from tutorial.heroku.packages import make_layer

LISTEN = """\
import os, socket, sys, time
def listen(port=None):
    s = socket.create_server(("127.0.0.1", int(port or os.environ["PORT"])))
    return s
"""
WAIT = "\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python for images, without packages."""
    return make_layer(tmp_path_factory.mktemp("layers"), [], print)


class Stage:
    """One dyno, its log, and images for it."""

    def __init__(self, folder: Path, packages: Path) -> None:
        self.log = Remembered()
        self.folder = folder / "dyno"
        self._images = folder / "images"
        self._packages = packages
        self.dyno = self.new_dyno()

    def new_dyno(self, **settings: float) -> WebDyno:
        self.dyno = WebDyno(self.folder, self.log, **settings)
        return self.dyno

    def image(self, script: str, **settings: Any) -> Image:
        name = f"image-{len(list(self._images.glob('*')))}"
        return script_image(self._images / name, script, self._packages, **settings)

    async def up(self, script: str, **settings: Any) -> tuple[str, int]:
        """Run a script and wait until it is up."""
        await self.dyno.replace(self.image(script, **settings), {}, 1)
        return await self.dyno.address(30)

    def processes(self) -> list[psutil.Process]:
        return processes_in(self.folder)


@pytest.fixture
def stage(tmp_path: Path, packages: Path) -> Iterator[Stage]:
    """A dyno that may be left running: nothing of it is left after the test."""
    stage = Stage(tmp_path, packages)
    yield stage
    left = stage.processes()
    for process in left:
        process.kill()
    assert left == [], "the test's dyno was not stopped, or did not stop all"


async def ask(address: tuple[str, int]) -> Any:
    """Ask a dyno directly and return the JSON that it answers."""

    def get() -> Any:
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/", timeout=20) as answer:
            return json.load(answer)

    return await asyncio.to_thread(get)


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


# --- boot


@in_a_loop
async def test_r10_a_dyno_that_does_not_bind_its_port_in_time_is_killed(stage: Stage) -> None:
    dyno = stage.new_dyno(boot_timeout=0.5)
    await dyno.replace(stage.image("import time" + WAIT), {}, 1)
    await soon(lambda: dyno.state == "crashed" and stage.log.count("to crashed") == 2, "crashed")
    said = stage.log.messages()
    at = said.index(
        "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 0.5 seconds of launch"
    )
    assert said[at + 1 : at + 4] == [
        "Stopping process with SIGKILL",
        "Process exited with status 137",
        "State changed from starting to crashed",
    ]
    assert dyno.reason == "R10"
    assert stage.processes() == []
    with pytest.raises(DynoDownError, match="H10"):
        await dyno.address(30)
    await dyno.stop()


@in_a_loop
async def test_r10_another_port_does_not_count(stage: Stage) -> None:
    dyno = stage.new_dyno(boot_timeout=1)
    script = LISTEN + "s = socket.create_server(('127.0.0.1', 0))" + WAIT
    await dyno.replace(stage.image(script), {}, 1)
    await soon(lambda: stage.log.count("Error R10") == 1, "R10")
    await dyno.stop()


@pytest.mark.parametrize("binds", ["fails", "waits"])
@in_a_loop
async def test_a_port_that_another_program_took_is_not_the_dynos(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, binds: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        free = dynos.free_port
        ports = iter([taken, free(), free(), free()])
        monkeypatch.setattr(dynos, "free_port", lambda: next(ports))
        careful = "import os, time\ntry:\n  s = listen()\nexcept OSError:\n  time.sleep(600)" + WAIT
        script = SERVER if binds == "fails" else LISTEN + careful
        address = await stage.up(script)
        assert address[1] != taken
        assert stage.log.count("crashed") == 0
        await stage.dyno.stop()


@in_a_loop
async def test_a_child_of_a_child_may_hold_the_port_and_ends_with_the_dyno(stage: Stage) -> None:
    script = (
        LISTEN
        + "import subprocess\nif len(sys.argv) > 1:\n  s = listen()"
        + WAIT.replace("\n", "\n  ")
    )
    script += "\nsubprocess.Popen([sys.executable, 'server.py', 'child'])" + WAIT
    await stage.up(script, command="python server.py; true")
    assert len(stage.processes()) >= 4  # the leash, the shell, the parent, the child
    await stage.dyno.stop()
    assert stage.processes() == []


@in_a_loop
async def test_a_process_that_made_itself_independent_ends_too(stage: Stage) -> None:
    script = (
        LISTEN
        + "if os.fork() == 0:\n  os.setsid()\n  os.fork()\n  time.sleep(600)\ns = listen()"
        + WAIT
    )
    await stage.up(script)
    await soon(lambda: len(stage.processes()) == 4, "the daemon and its child")
    await stage.dyno.stop()
    assert stage.processes() == []


# --- crashes


@in_a_loop
async def test_h10_a_dyno_that_crashed_is_restarted_once_at_once_and_then_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dyno = stage.dyno
    await dyno.replace(
        stage.image("print('no such module', flush=True); raise SystemExit(3)"), {}, 1
    )
    await soon(lambda: stage.log.count("to crashed") == 2, "the second crash")
    with pytest.raises(DynoDownError, match="H10: App crashed"):
        await dyno.address(30)
    assert (dyno.state, dyno.reason) == ("crashed", "H10")
    assert stage.log.count("Starting process") == 2
    assert stage.log.count("Process exited with status 3") == 2
    assert stage.log.messages("app") == ["no such module"] * 2
    # A new release has a new chance
    monkeypatch.setattr(dynos, "COOL_OFF", 0.5)
    await dyno.replace(stage.image(SERVER), {}, 2)
    await dyno.address(30)
    assert (dyno.state, dyno.reason) == ("up", None)
    # Whose dyno is restarted, later, again and again
    await dyno.replace(stage.image("raise SystemExit(1)"), {}, 3)
    await soon(
        lambda: stage.log.count("exited with status 1") >= 4, "the third and fourth attempt", 20
    )
    await dyno.stop()


@in_a_loop
async def test_a_dyno_that_dies_while_it_is_up_comes_back(stage: Stage) -> None:
    first = await ask(await stage.up(SERVER))
    victim = next(
        p
        for p in stage.processes()
        if p.cmdline()[-1:] == ["server.py"] and "leash" not in str(p.cmdline())
    )
    victim.kill()
    await soon(lambda: stage.log.count("to up") == 2, "up again")
    assert (await ask(await stage.dyno.address(30)))["HOME"] != first["HOME"]
    said = stage.log.messages()
    assert "Process exited with status 137" in said
    assert "State changed from up to crashed" in said
    await stage.dyno.stop()


@in_a_loop
async def test_a_command_that_is_not_there_is_a_crash_that_says_so(stage: Stage) -> None:
    await stage.dyno.replace(stage.image("", command="exec no-such-command"), {}, 1)
    await soon(lambda: stage.log.count("to crashed") == 2, "crashed")
    assert stage.log.count("no-such-command") >= 2
    assert "Process exited with status 127" in stage.log.messages()
    await stage.dyno.stop()


@in_a_loop
async def test_an_image_that_is_gone_is_a_crash_that_says_so(stage: Stage) -> None:
    image = stage.image(SERVER)
    (image.root / "app" / "server.py").unlink()
    (image.root / "app").rmdir()
    image.root.rmdir()
    await stage.dyno.replace(image, {}, 1)
    await soon(lambda: stage.log.count("to crashed") == 2, "crashed")
    assert stage.log.count("cannot be copied") == 2
    await stage.dyno.stop()


# --- requests that wait


@in_a_loop
async def test_h20_and_h14_say_why_there_is_no_address(stage: Stage) -> None:
    dyno = stage.dyno
    with pytest.raises(DynoDownError, match="H14: No web processes running"):
        await dyno.address(30)
    await dyno.replace(stage.image("import time" + WAIT), {}, 1)
    with pytest.raises(DynoDownError, match="H20: App boot timeout"):
        await dyno.address(0.2)
    await dyno.stop()
    with pytest.raises(DynoDownError, match="H14"):
        await dyno.address(30)


@in_a_loop
async def test_who_waits_is_told_at_once_when_the_dyno_is_stopped(stage: Stage) -> None:
    await stage.dyno.replace(stage.image("import time" + WAIT), {}, 1)
    waits = asyncio.create_task(stage.dyno.address(600))
    await soon(lambda: stage.log.count("Starting process"), "started")
    await stage.dyno.stop()
    with pytest.raises(DynoDownError, match="H14"):
        await asyncio.wait_for(waits, 10)
    assert stage.log.count("Error R12") == 0  # it heeds SIGTERM, had it only begun to run


@in_a_loop
async def test_a_dyno_that_is_stopped_while_it_is_made_is_not_started_after_all(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, copy = threading.Event(), dyno_process._copy

    def slow_copy(*given: Path) -> None:
        copy(*given)
        copied.set()
        time.sleep(0.5)

    monkeypatch.setattr(dyno_process, "_copy", slow_copy)
    await stage.dyno.replace(stage.image(SERVER), {}, 1)
    await soon(copied.is_set, "the image is copied")
    await stage.dyno.stop()
    assert list(stage.folder.iterdir()) == []


# --- one after another


@in_a_loop
async def test_the_old_dyno_stops_before_the_new_one_starts(stage: Stage, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    script = LISTEN + f"""
import signal
def note(words): open({str(notes)!r}, "a").write(words + "\\n")
def end(*_): time.sleep(0.3); note("ended"); sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("began")
s = listen()""" + WAIT  # fmt: skip
    old = await stage.up(script)
    await stage.dyno.replace(stage.image(script), {}, 2)
    assert stage.dyno.state == "starting"  # who asks now waits
    new = await stage.dyno.address(30)
    assert new != old
    await stage.dyno.stop()
    assert notes.read_text().split() == ["began", "ended", "began", "ended"]
    said = stage.log.messages()
    at = said.index("Restarting")
    assert said[at + 1 : at + 5] == [
        "State changed from up to starting",
        "Stopping all processes with SIGTERM",
        "Process exited with status 0",
        "Starting process with command `exec python server.py`",
    ]


@in_a_loop
async def test_r12_who_does_not_heed_sigterm_is_killed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynos, "EXIT_TIMEOUT", 0.5)
    await stage.up(
        LISTEN + "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ns = listen()" + WAIT
    )
    await stage.dyno.stop()
    said = stage.log.messages()
    at = said.index(
        "Error R12 (Exit timeout) -> At least one process failed to exit within 0.5 seconds of SIGTERM"
    )
    assert said[at + 1 : at + 3] == [
        "Stopping remaining processes with SIGKILL",
        "Process exited with status 137",
    ]


@in_a_loop
async def test_releases_in_quick_succession_leave_the_last_one(stage: Stage) -> None:
    images = [stage.image(SERVER, NUMBER=str(number)) for number in range(4)]
    moments = (0.0, 0.01, 0.05)
    for number, pause in enumerate(moments):
        await stage.dyno.replace(images[number], {}, number)
        await asyncio.sleep(pause)
    await asyncio.gather(
        stage.dyno.restart(), stage.dyno.replace(images[3], {}, 3), stage.dyno.restart()
    )
    found = await ask(await stage.dyno.address(30))
    assert (found["NUMBER"], stage.dyno.release) == ("3", 3)
    listening = [p for p in stage.processes() if p.net_connections("tcp")]
    assert len(listening) == 1
    assert len(list(stage.folder.iterdir())) == 1
    await stage.dyno.stop()


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
    assert said == ["The release command did not end in 0.5 seconds: it was stopped."]
