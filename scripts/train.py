"""Run notebooks/train.ipynb by papermill, where it belongs, and keep what it leaves in a folder.

The folder is the one of the last training that succeeded, whole, whatever ends this one. Without
MLFLOW_TRACKING_URI the run stays on this machine.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import papermill
import yaml
from papermill.exceptions import PapermillExecutionError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = "notebooks/train.ipynb"
FAILED = "failed_training.ipynb"
# What the notebook refuses: its message is a sentence that says what to do.
REFUSALS = ("DataError", "ModelError", "ParameterError", "ProvenanceError", "RegistrationError")


def main() -> None:
    """Train; exit status 1, and a sentence on standard error, where that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", dest="set")
    parser.add_argument("--output", default="training", help="the folder for what it leaves")
    args = parser.parse_args()
    output = Path(args.output).absolute()
    os.chdir(ROOT)  # papermill would take braces in a longer path for names to fill in
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix=".training-", dir=ROOT) as part:
        folder = Path(part).relative_to(ROOT)
        executed = folder / "train.ipynb"
        try:
            papermill.execute_notebook(
                NOTEBOOK,
                executed,
                {**dict(map(assigned, args.set)), "output": str(folder)},
                extra_arguments=["--log-level=40"],  # errors only
            )
            tell_mlflow(folder, lambda client, run: client.log_artifact(run, str(executed)))
        except (Exception, KeyboardInterrupt) as error:
            if executed.exists():
                shutil.copyfile(executed, FAILED)
            tell_mlflow(folder, lambda client, run: client.set_terminated(run, "FAILED"))
            sys.exit(sentence(error))
        (folder / "run_id").unlink()
        folder.chmod(0o755)
        Path(FAILED).unlink(missing_ok=True)
        shutil.rmtree(output, ignore_errors=True)
        shutil.move(folder, output)
        folder.mkdir()  # for what tidies up
    print(f"{args.output}/ has the executed notebook, the model, its answers and its record.")


def assigned(text: str) -> tuple[str, Any]:
    """Read `name=value`, the value as params.yaml would be read."""
    name, equals, value = text.partition("=")
    if not equals:
        sys.exit(f"{text!r} is no NAME=VALUE: write, for example, -p C=2.")
    return name, yaml.safe_load(value)


def tell_mlflow(folder: Path, what: Any) -> None:
    """Tell MLflow something of this training's run, if it began one."""
    if (folder / "run_id").exists():
        from mlflow import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        what(MlflowClient(uri), (folder / "run_id").read_text(encoding="utf-8"))


def sentence(error: BaseException) -> str:
    """Say why there is no model."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted: nothing was registered, and what was there before still is."
    if isinstance(error, PapermillExecutionError) and error.ename in REFUSALS:
        return str(error.evalue)
    why = f"{type(error).__name__}: {error}"
    if isinstance(error, PapermillExecutionError):
        why = f"{error.ename}: {error.evalue}"
    return f"The training failed, and {FAILED} shows where. {why}"


if __name__ == "__main__":
    main()
