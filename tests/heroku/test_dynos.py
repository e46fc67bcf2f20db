"""Dynos: how they boot, crash, wait, stop and start again."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest
from small_images import SERVER, in_a_loop, soon
from stage import LISTEN, WAIT, Stage, ask

from tutorial.heroku import dyno_process, dynos
from tutorial.heroku.dynos import DynoDownError

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
