"""What a model must be able to do, case by case: the behavioural suite.

`python -m app.behaviour MODEL_URI [--json]` prints each group's rate and floor; exit status 1 where a
group is below its floor, 2 where nothing could be measured. The cases are data: `data/behaviour.csv`.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sklearn.pipeline import Pipeline

from app.data import SENTIMENTS, DataError, read_table
from app.model import ModelError, predict
from app.model_file import load
from app.sources import SourceError, fetch

CASES = Path("data/behaviour.csv")
COLUMNS = ("group", "expected", "review", "other")
MOVES = ("raises", "lowers")
# The share of each group's cases that a model must pass. Each floor lies a case or more below what
# `small` reached in ten trainings on four fifths of the corpus's films, and above the half of the
# verdicts that one answer to everything gets right. Negation has no such room: `small` is little
# better there. Irony is hard: None holds no model to it. `full`, trained on 25,000 reviews that are
# long, is right about more reviews and yet below four of these floors: they are for `small`.
FLOORS: dict[str, float | None] = {
    "negation": 0.5,
    "contrast": 0.75,
    "intensifiers": 0.5,
    "irony": None,
    "names": 0.85,
    "typos": 0.75,
    "case": 0.85,
    "punctuation": 0.65,
    "length": 0.8,
    "emoji": 0.65,
}
# Where only names, origins and the like differ, the chance moves by no more than this.
NAMES_MOVE = 0.1


@dataclass(frozen=True)
class Case:
    """One expectation, after Ribeiro et al. (CheckList, ACL 2020).

    `expected` is the verdict on `review`, "positive" or "negative", and on `other` too where that is
    not "": the same review with other names or in another spelling. Or it is what putting `other` in
    the place of `review` does to the chance that it is positive: "raises" or "lowers".
    """

    group: str
    expected: str
    review: str
    other: str = ""


@dataclass(frozen=True)
class Group:
    """How many of a group's cases a model passes; `floor` is the share that it must, None for none."""

    cases: int
    passed: int
    floor: float | None

    @property
    def rate(self) -> float:
        """The share of cases passed, 0 to 1."""
        return self.passed / self.cases

    @property
    def holds(self) -> bool:
        """Tell whether the rate is not below the floor."""
        return self.floor is None or self.rate >= self.floor


@dataclass(frozen=True)
class Behaviour:
    """A model's groups by name, and the cases that it fails."""

    groups: Mapping[str, Group]
    failed: tuple[Case, ...]

    @property
    def rates(self) -> dict[str, float]:
        """The rate of each group by its name."""
        return {name: group.rate for name, group in self.groups.items()}

    @property
    def below(self) -> list[str]:
        """The names of the groups below their floors: empty where a model may pass a gate."""
        return [name for name, group in self.groups.items() if not group.holds]


def read_cases(path: str | Path = CASES) -> list[Case]:
    """Read cases from a CSV file with the columns of `Case`; raises `DataError`."""
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DataError(f"{path} has no column `{missing[0]}`: cases have {', '.join(COLUMNS)}.")
    cases = [Case(*cells) for cells in table[list(COLUMNS)].itertuples(index=False, name=None)]
    for row, case in enumerate(cases, start=1):
        if fault := _fault(case):
            raise DataError(f"{path}, row {row}: {fault}.")
    return cases


def _fault(case: Case) -> str | None:
    if case.group not in FLOORS:
        return f"the group is {case.group!r}, so choose from {', '.join(FLOORS)}"
    if case.expected not in (*SENTIMENTS, *MOVES):
        known = ", ".join((*SENTIMENTS, *MOVES))
        return f"expected is {case.expected!r}, so choose from {known}"
    if not case.review.strip():
        return "the review is empty, so write one or remove the row"
    if case.expected in MOVES and not case.other.strip():
        return f"{case.expected} compares two reviews, so write the second in `other`"
    return None


def behave(model: Pipeline, cases: Sequence[Case]) -> Behaviour:
    """Ask the model about every case."""
    asked = [text for case in cases for text in (case.review, case.other or case.review)]
    chances = predict(model, asked).reshape(-1, 2).tolist()
    passed = [_passes(case, *pair) for case, pair in zip(cases, chances, strict=True)]
    groups = {}
    for name in dict.fromkeys(case.group for case in cases):
        results = [right for case, right in zip(cases, passed, strict=True) if case.group == name]
        groups[name] = Group(len(results), sum(results), FLOORS[name])
    failed = (case for case, right in zip(cases, passed, strict=True) if not right)
    return Behaviour(groups, tuple(failed))


def _passes(case: Case, chance: float, other: float) -> bool:
    if case.expected in MOVES:
        return other > chance if case.expected == "raises" else other < chance
    if case.group == "names" and abs(other - chance) > NAMES_MOVE:
        return False
    return all((each >= 0.5) == (case.expected == "positive") for each in (chance, other))


def main() -> int:
    """Print rates and floors; exit status as the module says."""
    parser = argparse.ArgumentParser(prog="python -m app.behaviour", description=__doc__)
    parser.add_argument("model_uri")
    parser.add_argument("--json", action="store_true", help="for machines, with the failed cases")
    arguments = parser.parse_args()
    try:
        cases = read_cases()
        fetched = fetch(arguments.model_uri)
        if fetched is None:
            raise SourceError(f"{arguments.model_uri} gave no model: try again.")
        behaviour = behave(load(fetched.path), cases)
    except (DataError, ModelError, SourceError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        groups = {n: {**asdict(group), "rate": group.rate} for n, group in behaviour.groups.items()}
        failed = [asdict(case) for case in behaviour.failed]
        print(json.dumps({"groups": groups, "below": behaviour.below, "failed": failed}))
    else:
        for name, group in behaviour.groups.items():
            counts = f"{group.passed:>3} of {group.cases:<3}{group.rate:>5.0%}"
            floor = "hard: no floor" if group.floor is None else f"floor {group.floor:.0%}"
            print(f"{name:<14}{counts}  {floor}{'' if group.holds else ', and below it'}")
    return 1 if behaviour.below else 0


if __name__ == "__main__":
    sys.exit(main())
