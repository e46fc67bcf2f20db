"""`python -m tutorial.rule_probe WORKSPACE FOLDER`: what a reader's rule of the gate says of made cases.

The rule's source comes on standard input. FOLDER/said.json tells of the first case on which it is wrong, as
`problem`, a sentence, or of what it said of each as `said`. Run it apart: a rule may do anything.
"""

import csv
import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RULE = "keeps_negation"
HALF = 400  # reviews with a negation, and as many without
# How many of each half a model is right on: with a negation, without.
CHAMPION = (360, 340)
WORSE = (348, 380)  # 3 points less on negations, and more on the whole
WELL = (356, 320)  # 1 point less on negations, and less on the whole
SAID = "said.json"


def main() -> None:
    """Do it. The folder holds a sentence or the verdicts in the end, unless the rule ended the process."""
    workspace, folder = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path[:0] = [str(workspace), str(workspace / "scripts")]
    answer: dict[str, Any]
    try:
        answer = {"said": judged(sys.stdin.read(), folder)}
    except WrongError as error:
        answer = {"problem": str(error)}
    (folder / SAID).write_text(json.dumps(answer), encoding="utf-8")


class WrongError(ValueError):
    """A rule that is not right. The message says what is wrong with it."""


def judged(source: str, folder: Path) -> list[str]:
    """Return what a rule saw in each case. Raises `WrongError`."""
    import gate_case
    from gate_training import read_training
    from gate_verdict import Verdict

    rule = defined(source, {"__name__": "rule", "Verdict": Verdict})
    champion, worse, well = (
        read_training(write(folder / name, right))
        for name, right in (("champion", CHAMPION), ("worse", WORSE), ("well", WELL))
    )
    limits = gate_case.read_limits(gate_case.RULES)
    seen = []
    for former, challenger, right, wanted in (
        (champion, worse, WORSE, False),
        (champion, well, WELL, True),
        (None, well, WELL, None),
    ):
        about = in_words(right) if former else "a first model, which has no champion"
        verdict = called(rule, gate_case.Case(former, challenger, limits, False), about)
        if not isinstance(verdict, Verdict):
            raise WrongError(f"Of {about}, it returns {repr(verdict)[:60]}: return a Verdict.")
        if not isinstance(verdict.evidence, str) or not verdict.evidence.strip():
            raise WrongError(f"Of {about}, it does not say what it saw: give a Verdict that, too.")
        if wanted is not None and bool(verdict.holds) is not wanted:
            said = "yes" if verdict.holds else "no"
            raise WrongError(
                f"It says {said} to {about}: {'no' if verdict.holds else 'yes'} is right."
            )
        seen.append(verdict.evidence)
    return seen


def defined(source: str, names: dict[str, Any]) -> Any:
    """Return the function that a source defines."""
    try:
        exec(compile(source, "your rule", "exec"), names)  # noqa: S102
    except (Exception, SystemExit) as error:
        raise WrongError(f"It cannot be run: {told(error)}.") from None
    rule = names.get(RULE)
    if not callable(rule):
        raise WrongError(f"There is no function {RULE}(case) in it.")
    return rule


def called(rule: Any, case: Any, about: str) -> Any:
    """Return what a rule says of a case."""
    try:
        return rule(case)
    except (Exception, SystemExit) as error:
        raise WrongError(f"Of {about}, it raises {told(error)}.") from None


def told(error: BaseException) -> str:
    """Say what went wrong, and in which line of the rule."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == "your rule"
    ]
    line = error.lineno if isinstance(error, SyntaxError) else next(reversed(lines), None)
    text = getattr(error, "msg", None) or str(error)
    return f"{type(error).__name__}{f', line {line}' if line else ''}: {text[:200]}".rstrip(". :")


def in_words(right: Sequence[int]) -> str:
    """Say what distinguishes a challenger."""
    (negated, other), (was, before) = right, CHAMPION
    points = 100 * (was - negated) / HALF
    whole = "more" if negated + other > was + before else "less"
    return (
        f"a challenger that is right on {negated / HALF:.0%} of the reviews with a negation, where the "
        f"champion is on {was / HALF:.0%} ({points:.0f} points; on all reviews it is right {whole} often)"
    )


def write(folder: Path, right: Sequence[int]) -> Path:
    """Write what a training leaves that is right on so many reviews of each half; return its folder."""
    import pandas as pd

    from app.behaviour import FLOORS
    from app.data import COLUMNS, data_digest

    rows = []
    for text, hits in zip(
        ("It is not film number {}.", "It is film number {}."), right, strict=True
    ):
        for row in range(HALF):
            truth, hit = row % 2 == 0, row < hits
            chance = "0.900000" if truth == hit else "0.100000"
            rows.append(
                (text.format(row), "positive" if truth else "negative", f"Film {row}", chance)
            )
    folder.mkdir()
    with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([(*COLUMNS, "positive"), *rows])
    tested = pd.DataFrame([row[:3] for row in rows], columns=list(COLUMNS), dtype=str)
    digests = dict.fromkeys(("data", "input", "lock", "model"), "a" * 64)
    digests["test"] = data_digest(tested)
    record = {
        "parameters": {"data": "workshop"},
        **{f"{name}_digest": digest for name, digest in digests.items()},
        "file_sha256": "a" * 64,
        "git_commit": "c" * 40,
        **dict.fromkeys(("data_rows", "test_rows"), len(rows)),
        **dict.fromkeys(("file_bytes", "memory_bytes"), 1_000_000),
        "seconds": 1.0,
        "evaluation": {
            "rows": len(rows),
            "accuracy": sum(right) / len(rows),
            "examples_per_second": 1000.0,
        },
        "behaviour": {name: {"cases": 20, "passed": 20} for name in FLOORS},
    }
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
