"""What a gate is asked: two trainings, or a first one, and the numbers of its rules."""

import argparse
import math
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import yaml

from app.behaviour import FLOORS
from app.comparison import Comparison, compare
from gate_training import GateError, Training, read_training

# Beside the gate's own code: no pull request brings its judge's rules along.
RULES = Path(__file__).resolve().parents[1] / "gate.yaml"


@dataclass(frozen=True)
class Limits:
    """The numbers of gate.yaml, which says what each is for. Shares are of 1, sizes in megabytes."""

    better: float
    same_quality: float
    first_accuracy: float
    first_calibration: float
    calibration_tolerance: float
    test_rows: float
    dyno_megabytes: float
    app_megabytes: float
    models_at_once: float
    file_megabytes: float


@dataclass(frozen=True)
class Case:
    """Whether `challenger` may take the place of `champion`, None for a first model.

    `same_quality` says that a maintainer asks for no better model, only for one that is not worse.
    """

    champion: Training | None
    challenger: Training
    limits: Limits
    same_quality: bool

    @cached_property
    def comparison(self) -> Comparison | None:
        """The two on the same test reviews, None for a first model."""
        if self.champion is None:
            return None
        return compare(self.champion.positive, self.challenger.positive, self.challenger.truth)


def command_line(description: str | None) -> argparse.ArgumentParser:
    """Return the arguments that name a case: those that gate.py and report.py have in common."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="the champion's, the challenger's"
    )
    parser.add_argument("--first", action="store_true", help="there is no champion yet")
    parser.add_argument(
        "--same-quality", action="store_true", help="it need not be better, only not worse"
    )
    return parser


def read_case(args: argparse.Namespace) -> Case:
    """Read what the command line names. Raises `GateError`."""
    if len(args.folders) > 2 or (len(args.folders) == 1 and not args.first):
        raise GateError(
            "Give two folders, the champion's and the challenger's, or --first and one."
        )
    challenger = read_training(args.folders[-1])
    for name, floor in FLOORS.items():
        if floor is not None and name not in challenger.behaviour:
            raise GateError(
                f"The challenger was not asked about {name}: put its cases back into "
                "data/behaviour.csv and train again."
            )
    champion = None if args.first else read_training(args.folders[0])
    if champion is not None and not champion.tested.equals(challenger.tested):
        raise GateError(
            "Champion and challenger were tested on different reviews, so nothing can be compared: "
            "train the champion with the challenger's test, -p test=FILE, or leave the test as it is."
        )
    return Case(champion, challenger, read_limits(RULES), args.same_quality)


def read_limits(path: Path) -> Limits:
    """Read the numbers of the rules, every one and no other. Raises `GateError`."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GateError(f"{path.name} cannot be read ({error.strerror}): restore it.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise GateError(f"{path.name} is no YAML: write `name: number`, one a line.") from None
    names = {field.name for field in fields(Limits)}
    given = set(values) if isinstance(values, dict) else set()
    if missing := sorted(names - given):
        raise GateError(f"{path.name} does not give {missing[0]}: write `{missing[0]}: NUMBER`.")
    if unknown := sorted(map(repr, given - names)):
        raise GateError(f"{path.name} gives {unknown[0]}, which no rule has: remove it.")
    for name, value in values.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise GateError(f"{path.name}: {name} is {value!r}: write a number.")
    return Limits(**{name: float(value) for name, value in values.items()})
