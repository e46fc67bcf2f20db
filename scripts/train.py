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
sys.path.insert(0, str(ROOT))  # where `app` is
NOTEBOOK = "notebooks/train.ipynb"
FAILED = "failed_training.ipynb"
# What the notebook refuses: its message is a sentence that says what to do.
REFUSALS = (
    *("DataError", "ModelError", "ParameterError", "ProvenanceError"),
    *("RegistrationError", "TrackingError"),
)


def main() -> None:
    """Train; exit status 1, and a sentence on standard error, where that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", dest="set")
    parser.add_argument("--output", default="training", help="the folder for what it leaves")
    args = parser.parse_args()
    parameters, output = dict(map(assigned, args.set)), place(args.output)
    os.chdir(ROOT)
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        print("MLFLOW_TRACKING_URI is not set: this run stays on this machine, in mlflow.db.")
        sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    near = ROOT if output.is_relative_to(ROOT) else output.parent  # on the same disk
    with tempfile.TemporaryDirectory(prefix=".training-", dir=near) as part:
        folder = Path(os.path.relpath(part, ROOT)) / "training"
        try:
            train(folder, parameters)
            for number in (signal.SIGINT, signal.SIGTERM):  # from here on nothing is half done
                signal.signal(number, signal.SIG_IGN)
            put(folder, output)
        except (Exception, KeyboardInterrupt) as error:
            sys.exit(given_up(folder, error))
    (output / "run_id").unlink(missing_ok=True)
    Path(FAILED).unlink(missing_ok=True)
    print(f"{args.output}/ has the executed notebook, the model, its answers and its record.")


def train(folder: Path, parameters: dict[str, Any]) -> None:
    """Execute the notebook, which leaves all else in the folder, and add it to its run."""
    folder.mkdir()
    executed = folder / "train.ipynb"
    papermill.execute_notebook(
        NOTEBOOK,
        str(executed).replace("{", "{{").replace("}", "}}"),  # braces are names to fill in
        {**parameters, "output": str(folder)},
        extra_arguments=["--log-level=40"],  # errors only
    )
    from app import tracking  # here: it takes seconds, and whoever is refused need not wait

    tracking.keep((folder / "run_id").read_text(encoding="utf-8"), executed)


def given_up(folder: Path, error: BaseException) -> str:
    """Mark the run failed, if there is one, and say why there is no model."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this is all that is left to do
    if (folder / "run_id").exists():
        from app import tracking

        tracking.give_up((folder / "run_id").read_text(encoding="utf-8"))
    shown = ""
    if (folder / "train.ipynb").exists():
        shutil.copyfile(folder / "train.ipynb", FAILED)
        shown = f", as {FAILED} shows"
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted: nothing was registered, and what was there before still is."
    name, said = type(error).__name__, str(error)
    if isinstance(error, PapermillExecutionError):
        name, said = error.ename, error.evalue
    if name in REFUSALS:
        return said
    return f"The training failed{shown}: {name}: {' '.join(said.split())[:300].rstrip('.')}."


def put(folder: Path, output: Path) -> None:
    """Put the folder in the place of the former one, which another training may be doing too."""
    while True:
        try:
            folder.rename(output)
            return
        except OSError:
            if not output.is_dir():
                raise
        output.rename(tempfile.mkdtemp(dir=folder.parent))


def place(text: str) -> Path:
    """Return the output's place, which must hold nothing but what trainings leave."""
    output = Path(text).resolve()
    if output.exists():
        folders = [output, *output.iterdir()] if output.is_dir() else []
        records = any((folder / "record.json").exists() for folder in folders)
        if ROOT.is_relative_to(output) or not (records or folders == [output]):
            sys.exit(f"{text} holds what no training left there: choose another folder.")
    output.parent.mkdir(parents=True, exist_ok=True)
    return output


def assigned(text: str) -> tuple[str, Any]:
    """Read `name=value`, the value as params.yaml would be read."""
    name, equals, value = text.partition("=")
    if not equals:
        sys.exit(f"{text!r} is no NAME=VALUE: write, for example, -p C=2.")
    if name == "output":
        sys.exit("output is no parameter here: write --output FOLDER.")
    try:
        return name, yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        sys.exit(f"{text!r} has a value that is no YAML: put it between quotes.")


if __name__ == "__main__":
    main()
