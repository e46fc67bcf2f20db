"""`python -m tutorial.tracking.load`: log as a busy team does, and say what of it is there. For `tutorial bench`."""

import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlflow import MlflowClient

CLIENTS, RUNS, METRICS = 8, 200, 10
LARGE = 100_000_000  # bytes


def log_runs(experiment: str, count: int) -> None:
    """Log runs, each with its metrics one after the other, as a training does."""
    client = MlflowClient()
    for _ in range(count):
        run = client.create_run(experiment).info.run_id
        for number in range(METRICS):
            client.log_metric(run, f"metric_{number}", number / METRICS)
        client.set_terminated(run)


def many_runs() -> int:
    """Log all runs, by so many clients at once, and return how many of them are not there whole."""
    client = MlflowClient()
    experiment = client.create_experiment(f"load-{os.getpid()}")
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [pool.submit(log_runs, experiment, RUNS // CLIENTS) for _ in range(CLIENTS)]
    for each in done:
        each.result()
    wanted = {f"metric_{number}": number / METRICS for number in range(METRICS)}
    found = client.search_runs([experiment], max_results=RUNS)
    whole = [run for run in found if run.data.metrics == wanted and run.info.status == "FINISHED"]
    return RUNS - len(whole)


def large_artifact(size: int) -> int:
    """Log a file of so many bytes and read it back; return how many bytes are not there."""
    client = MlflowClient()
    run = client.create_run("0").info.run_id
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large"
        file.write_bytes(os.urandom(size))
        client.log_artifact(run, str(file))
        back = Path(client.download_artifacts(run, "large", tempfile.mkdtemp(dir=folder)))
        return 0 if back.read_bytes() == file.read_bytes() else size


if __name__ == "__main__":
    print(json.dumps(many_runs() if sys.argv[1] == "runs" else large_artifact(int(sys.argv[2]))))
