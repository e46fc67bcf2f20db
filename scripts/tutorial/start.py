"""`tutorial start`: JupyterLab at the first notebook, and every address printed."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

from rich.console import Console

from tutorial import cloud
from tutorial.errors import TutorialError
from tutorial.home import PROJECT, Home
from tutorial.milestones import all_milestones
from tutorial.serving import free_port
from tutorial.teardown import cloud_taken_down

PORT = 8888
PATIENCE = 60  # seconds until JupyterLab has to answer


def has_screen() -> bool:
    """Tell whether a browser can open a window here."""
    if "CODESPACES" in os.environ or "SSH_CONNECTION" in os.environ:
        return False
    if platform.system() == "Darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def start(home: Home, console: Console) -> int:
    """Run the local cloud and JupyterLab until they are stopped; return the exit status.

    Ctrl+C, SIGTERM and a closed terminal stop them in good order.
    """
    console.print("The local cloud, which the notebooks use from milestone 1 on:")
    with cloud_taken_down(home):
        # Ctrl+C ends it even where a shell has its background programs ignore that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for service in cloud.up(home, say=lambda line: None):
            console.print(f"  {service.name:<8} {service.url or service.state}", soft_wrap=True)
        return _run_jupyter(home, console)


def _run_jupyter(home: Home, console: Console) -> int:
    first = all_milestones()[0].notebook.relative_to(PROJECT).as_posix()
    runtime = home.root / "jupyter"
    runtime.mkdir(parents=True, exist_ok=True)
    log = home.root / "jupyter.log"
    settings = home.root / "jupyter-settings"
    _without_news(settings)
    environment = {
        **home.environment(),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_PATH": str(settings),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={free_port(PORT)}", f"--ServerApp.root_dir={PROJECT}"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    # Jupyter gets a group of its own: Ctrl+C reaches us alone, and we end it in good order.
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = _wait_for(process, runtime, log)
        address = f"{url['base']}lab/tree/{first}?token={url['token']}"
        console.print("JupyterLab is up. Its address, first notebook opened, is:")
        console.print(f"\n  {address}\n", soft_wrap=True, highlight=False)
        console.print(
            "The app gets an address of its own (port 8501 if free) when notebook 00 starts it, and "
            "another one from the platform in milestone 1.",
        )
        if has_screen():
            webbrowser.open(address)
        else:
            console.print("There is no screen here: open the address in a browser on this machine.")
        console.print("It stays up until you press Ctrl+C.")
        return process.wait()
    except (KeyboardInterrupt, SystemExit):
        return 0  # it was told to end, as it is meant to
    finally:
        process.terminate()
        process.wait()


def _without_news(settings: Path) -> None:
    """Keep JupyterLab from asking readers about news, and other hosts for updates."""
    page = settings / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    off = {"@jupyterlab/apputils-extension:announcements": True}
    page.write_text(json.dumps({"disabledExtensions": off}), encoding="utf-8")


def _wait_for(process: "subprocess.Popen[bytes]", runtime: Path, log: Path) -> dict[str, str]:
    record = runtime / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server = json.loads(record.read_text(encoding="utf-8"))
            return {"base": server["url"], "token": server["token"]}
        except (FileNotFoundError, ValueError, KeyError):
            time.sleep(0.1)
    process.terminate()
    words = log.read_text(errors="replace").strip().splitlines()
    raise TutorialError(f"JupyterLab did not start: {words[-1] if words else 'it said nothing'}")
