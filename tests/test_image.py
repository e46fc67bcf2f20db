"""The image, really built by buildah and really run: what is in it, as whom it runs, what it answers.

buildah and debootstrap are Linux's own: on macOS these tests are left out, and pytest's summary says so.
"""

import csv
import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from app.data import read_reviews
from app.model import train
from app.model_file import save
from executed import project_files
from image_build import Buildah, as_root, base_archive, need, scratch, storage_driver
from tutorial.home import PROJECT
from tutorial.serving import free_port

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="buildah and debootstrap are there on Linux alone"
)
SECRET = f"planted-{secrets.token_hex(16)}"
PLANTED = (
    ".env",
    "app/.env",
    "app/__pycache__/old.pyc",
    "models/notes.txt",
    ".streamlit/secrets.toml",
    ".git/config",
    "data/more.csv",
    "notes.txt",
)


@dataclass(frozen=True)
class Built:
    """An image, a container made of it, and where the container's files can be read."""

    buildah: Buildah
    context: Path
    container: str
    files: Path

    def run(self, *command: str, **settings: str) -> str:
        """Run a command in the container, and return what it says."""
        return self.buildah("run", *words(settings), self.container, "--", *command)


def words(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a trained model, and with what must not get into an image."""
    root = tmp_path_factory.mktemp("context") / "workspace"
    wanted = ("app/", ".streamlit/", "data/", "Dockerfile", ".dockerignore", "heroku.yml")
    for name in project_files():
        if name.startswith(wanted):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, root / name)
    (root / "models").mkdir()
    save(train(read_reviews(root / "data" / "train.csv")), root / "models" / "sentiment.skops")
    for name in PLANTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(SECRET, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def built(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build the image, with a secret in the environment of the build."""
    need("buildah", "debootstrap")
    folder = tmp_path_factory.mktemp("image")
    with scratch(folder / "storage") as storage:
        buildah = Buildah(storage, storage_driver(folder), (("HEROKU_API_KEY", SECRET),))
        buildah.take(base_archive(folder), "base")
        buildah.build(context, "localhost/base", "review-app")
        container = buildah("from", "review-app")
        yield Built(buildah, context, container, Path(buildah("mount", container)))
        buildah("unmount", container)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the condition's first true value; fail, naming what was waited for, when time is up."""
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline, f"60 s are over: {what}"
        time.sleep(0.1)
    return value


def configuration(built: Built) -> dict[str, Any]:
    """Return the image's own settings."""
    told: dict[str, Any] = json.loads(built.buildah("inspect", "--type", "image", "review-app"))
    return dict(told["OCIv1"]["config"])


def test_the_app_is_in_the_image_and_nothing_else_of_the_workspace(built: Built) -> None:
    root = built.files / "app"
    inside = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    app = {name for name in project_files() if name.startswith("app/")}
    assert inside == app | {".streamlit/config.toml", "models/sentiment.skops"}


def test_no_layer_and_no_history_holds_a_secret_or_test_data(built: Built) -> None:
    with (PROJECT / "data" / "test.csv").open(encoding="utf-8", newline="") as file:
        review = max((row["review"] for row in csv.DictReader(file)), key=len)
    # In what is stored: every layer as it was made, its history and its settings.
    search = ["grep", "-rlF", "-e", SECRET, "-e", review.splitlines()[0], built.buildah.storage]
    found = subprocess.run(as_root(*search), capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "")
    history = built.buildah("inspect", "--type", "image", "review-app")
    assert "pip install" in history
    assert SECRET not in history


def test_what_the_build_was_lent_is_not_in_the_image(built: Built) -> None:
    assert list((built.files / "wheels").iterdir()) == []
    assert (built.files / "etc" / "pip.conf").read_text(encoding="utf-8") == ""


def test_the_settings_of_the_image(built: Built) -> None:
    settings = configuration(built)
    assert settings["User"] == "app"
    assert settings["WorkingDir"] == "/app"
    assert "STREAMLIT_SERVER_ADDRESS=0.0.0.0" in settings["Env"]
    assert "PYTHONUNBUFFERED=1" in settings["Env"]
    shell, flag, command = settings["Cmd"]
    assert (shell, flag) == ("/bin/sh", "-c")
    assert command.startswith("exec ")
    assert "${PORT:-8501}" in command


def test_it_is_not_root_and_cannot_change_itself(built: Built) -> None:
    assert built.run("id", "-un") == "app"
    assert built.run("sh", "-c", "test -w app/main.py || echo locked") == "locked"
    assert built.run("sh", "-c", "test -w . || echo locked") == "locked"


def test_its_release_command_passes(built: Built) -> None:
    command = re.findall(r"^    - (.+)$", (built.context / "heroku.yml").read_text(), re.M)
    assert command == ["python -m app.verify"]
    assert "predicts its own example" in built.run(*command[0].split())


def test_it_predicts(built: Built) -> None:
    code = (
        "from app.model import predict; from app.model_file import load;"
        "print(*predict(load('models/sentiment.skops'), ['A warm, funny film.', 'Dull and awful.']))"
    )
    good, bad = map(float, built.run("python", "-c", code).split())
    assert bad < 0.5 < good


def test_it_answers_and_stops_when_it_is_told_to(built: Built) -> None:
    port = free_port(0)
    url = f"http://127.0.0.1:{port}"
    # Beyond loopback nobody is to reach what a test runs: the image's own setting is tested above.
    inside = {"PORT": str(port), "STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    command = ("run", *words(inside), built.container, "--", *configuration(built)["Cmd"])
    process = subprocess.Popen(built.buildah.command(*command), stdout=subprocess.DEVNULL)
    try:
        card = until(lambda: card_of(url), "GET /model tells of a model that serves")
        assert card["uri"] == "models/sentiment.skops"
        assert card["example"]["positive"] > 0.5
        assert requests.get(url, timeout=10).status_code == 200
        family = psutil.Process(process.pid).children(recursive=True)
        servers = [p for p in family if "streamlit" in p.cmdline()]
        # The shell is gone: the signal reaches Python itself.
        assert [p.pid for p in family if p.name() in ("sh", "dash")] == []
        (server,) = servers
        subprocess.run(as_root("kill", str(server.pid)), check=True)
        process.wait(60)
    finally:
        for left in [*psutil.Process().children(recursive=True)]:
            if process.poll() is None and left.pid != process.pid and "streamlit" in left.cmdline():
                subprocess.run(as_root("kill", "-9", str(left.pid)), check=False)
        process.wait(60)


def card_of(url: str) -> dict[str, Any] | None:
    """Return the card if a model serves."""
    try:
        answer = requests.get(f"{url}/model", timeout=10)
    except requests.ConnectionError:
        return None
    return answer.json() if answer.ok else None


def test_a_change_of_code_keeps_the_packages(built: Built) -> None:
    page = built.context / "app" / "page.py"
    page.write_text(page.read_text(encoding="utf-8") + "# A change.\n", encoding="utf-8")
    steps = re.split(
        r"^STEP ", built.buildah.build(built.context, "localhost/base", "again"), flags=re.M
    )
    cached = {step.partition(": ")[2].split("\n")[0]: "Using cache" in step for step in steps}
    assert [cached[step] for step in cached if step.startswith("RUN pip install")] == [True]
    assert [cached[step] for step in cached if step.startswith("COPY . .")] == [False]
