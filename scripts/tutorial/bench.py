"""Measure the figures that we hold ourselves to: `tutorial bench`. Each stands beside its limit."""

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import requests
from rich.console import Console

from tutorial import cloud
from tutorial.bench_review import fresh_figures, review_figures
from tutorial.bench_training import training_figures
from tutorial.book import build
from tutorial.cloud.processes import marked
from tutorial.deployed import live_app
from tutorial.errors import TutorialError
from tutorial.figures import Figure, memory_of, seconds_of
from tutorial.home import Home
from tutorial.pipeline import deploy_runs
from tutorial.processes import run_in_workspace
from tutorial.run import fresh_home
from tutorial.screenshot import open_browser
from tutorial.serving import start_app
from tutorial.workspace import Workspace

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def measure(console: Console) -> list[Figure]:
    """Measure everything, one after the other, saying what is being measured."""
    figures: list[Figure] = []
    with fresh_home() as home:
        for what, measurement in MEASUREMENTS.items():
            console.print(f"Measuring: {what}")
            figures += measurement(home)
    return figures


def _milestone(home: Home) -> Iterator[Figure]:
    yield Figure("milestone 0 fresh", seconds_of([0], home), "s", 40)


def _first_milestones(home: Home) -> Iterator[Figure]:
    with fresh_home() as other:
        yield Figure("milestones 0 to 2 fresh", seconds_of([0, 1, 2], other), "s", 120)


def _all_fresh(home: Home) -> Iterator[Figure]:
    with fresh_home() as other:
        yield from fresh_figures(other)


def _cloud(home: Home) -> Iterator[Figure]:
    started = time.perf_counter()
    cloud.up(home, say=lambda line: None)
    yield Figure("local cloud: up", time.perf_counter() - started, "s", 10)
    s3: S3Client = cloud.client(home, "s3", *cloud.profile_keys(home, "admin"))
    where: Any = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket="bench", CreateBucketConfiguration=where)
    started = time.perf_counter()
    for n in range(1000):
        s3.put_object(Bucket="bench", Key=f"objects/{n}", Body=b"%04d" % n * 250)
    for n in range(1000):
        s3.get_object(Bucket="bench", Key=f"objects/{n}")["Body"].read()
    seconds = time.perf_counter() - started
    yield Figure("S3: 1,000 objects of 1 kB put and read back", seconds, "s", 10)


def _deploy(home: Home) -> Iterator[Figure]:
    seconds_of([1, 2], home)
    environment = {**home.environment(), **cloud.environment(home), "AWS_PROFILE": "trainer"}

    def script(*words: str) -> None:
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=home.workspace, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise TutorialError(f"{words[0]} failed: {done.stderr.strip().splitlines()[-1]}")

    started = time.perf_counter()
    script("scripts/deploy.py")  # returns when GET /model answers
    seconds = time.perf_counter() - started
    yield Figure("a deploy, from command to GET /model answering", seconds, "s", 20)
    app = live_app(home)
    before = app.card()
    run_in_workspace(home, "tutorial.training", "workshop", "C=2")
    started = time.perf_counter()
    script("scripts/upload.py", "models/sentiment.skops", before["uri"])
    app.wait_until(lambda card: card["version"] != before["version"])
    yield Figure("a new model, from upload to live", time.perf_counter() - started, "s", 5)


def _app(home: Home) -> Iterator[Figure]:
    with open_browser() as browser:  # its own start is not the app's
        page = browser.new_page()
        started = time.perf_counter()
        app = start_app(home)
        try:
            page.goto(app.url)
            page.get_by_role("button", name="A slating").click()
            page.get_by_text("Where they stand").wait_for()
            seconds = time.perf_counter() - started
            yield Figure("app: start to first prediction", seconds, "s", 8, 5)
            yield Figure("app: memory after it", memory_of(app), "MB", 430, 350)
        finally:
            app.stop()


def explain_many() -> None:
    """In a workspace: print the seconds of 200 predictions with explanation of a review of 250 words."""
    from app.data import read_reviews
    from app.explanation import explain
    from app.model_file import load

    model = load("models/sentiment.skops")
    words = " ".join(read_reviews("data/test.csv")["review"]).split()
    times = []
    for n in range(200):
        review = " ".join(words[n * 20 : n * 20 + 250])
        started = time.perf_counter()
        _ = explain(model, review).positive
        times.append(time.perf_counter() - started)
    print(json.dumps(times))


def _explanation(home: Home) -> Iterator[Figure]:
    times = json.loads(run_in_workspace(home, "tutorial.bench"))
    name = "prediction with explanation, 250 words, median"
    yield Figure(name, statistics.median(times) * 1000, "ms", 5)


def _book(home: Home) -> Iterator[Figure]:
    # The limit is the finished book's, all chapters executed.
    for name, cold, limit in (("from cold", True, 700), ("unchanged", False, 15)):
        started = time.perf_counter()
        build(cold=cold, quiet=True)
        yield Figure(f"book {name}", time.perf_counter() - started, "s", limit)


def _ask_until(done: threading.Event, url: str, waits: list[float], failures: list[str]) -> None:
    """Ask for the page again and again, and note how long each answer took and what failed."""
    while not done.is_set():
        started = time.perf_counter()
        try:
            status = requests.get(url, timeout=90).status_code
            if status != requests.codes.ok:
                failures.append(str(status))
        except requests.RequestException as error:
            failures.append(type(error).__name__)
        waits.append(time.perf_counter() - started)
        done.wait(0.1)


def _push(home: Home) -> Iterator[Figure]:
    seconds_of([3], home)
    workspace, app = Workspace(home.workspace), live_app(home)
    waits: list[float] = []
    failures: list[str] = []
    done = threading.Event()
    visitor = threading.Thread(target=_ask_until, args=(done, app.url, waits, failures))
    visitor.start()
    try:
        readme = home.workspace / "README.md"
        readme.write_text(readme.read_text(encoding="utf-8") + "\nOne line more.\n", "utf-8")
        workspace.git("commit", "--quiet", "--all", "--message", "One line more")
        started = time.perf_counter()
        workspace.git("push", "--quiet", "origin", "main")  # returns when the run has ended
        seconds = time.perf_counter() - started
    finally:
        done.set()
        visitor.join()
    newest = deploy_runs(home)[0]
    if newest["conclusion"] != "success":
        raise TutorialError(f"Run {newest['id']} ended as {newest['conclusion']}.")
    steps = sum(step["seconds"] or 0 for job in newest["jobs"] for step in job["steps"])
    yield Figure("a push: tested, deployed, answering", seconds, "s", 40)
    yield Figure("the rehearsal's own cost over its steps' time", seconds - steps, "s", 3)
    yield Figure("requests that failed during a good deploy", len(failures), "", 0)
    yield Figure("the longest wait of a visitor during it", max(waits), "s", 75)


def _tracking(home: Home) -> Iterator[Figure]:
    seconds_of([4], home)
    started = time.perf_counter()
    cloud.restart(home, "mlflow", "nginx")
    yield Figure("tracking server with nginx: ready", time.perf_counter() - started, "s", 30)
    yield Figure("tracking server with nginx: memory", sum(_tracking_memory(home)), "MB", 500)
    lost = float(_load(home, "runs"))
    yield Figure("200 runs of 10 metrics by 8 clients at once: lost", lost, "", 0)
    _load(home, "artifact", "5000000")  # what the first upload of a server imports stays
    before, most = _tracking_memory(home), [0.0, 0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            most[:] = map(max, most, _tracking_memory(home))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        lost = float(_load(home, "artifact", "100000000"))
    finally:
        done.set()
        watcher.join()
    yield Figure("an artifact of 100 MB, up and down: lost", lost / 1e6, "MB", 0)
    for name, now, then in zip(("MLflow", "nginx"), most, before, strict=True):
        yield Figure(f"the same: {name} grows by", max(now - then, 0), "MB", 50)


def _load(home: Home, *words: str) -> str:
    environment = {**home.environment(), **cloud.environment(home)}
    command = [sys.executable, "-m", "tutorial.tracking.load", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise TutorialError(f"The load failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip().splitlines()[-1]


def _tracking_memory(home: Home) -> tuple[float, float]:
    """Return the memory of MLflow's processes and of nginx: what two of them share counts once."""
    sums = {"mlflow": 0.0, "nginx": 0.0}
    for process in marked(home):
        with suppress(psutil.Error):
            name = next((n for n in sums if n in " ".join(process.cmdline())), None)
            if name:
                memory = process.memory_full_info()
                sums[name] += getattr(memory, "pss", memory.uss) / 1e6
    return sums["mlflow"], sums["nginx"]


MEASUREMENTS: dict[str, Callable[[Home], Iterator[Figure]]] = {
    "milestone 0": _milestone,
    "the app, in a browser": _app,
    "an explanation": _explanation,
    "the local cloud": _cloud,
    "deploying": _deploy,
    "a push": _push,
    "the tracking server": _tracking,
    "trainings": training_figures,
    "a pull request": review_figures,
    "all seven": _all_fresh,
    "milestones 0 to 2": _first_milestones,
    "the book": _book,
}

if __name__ == "__main__":
    explain_many()
