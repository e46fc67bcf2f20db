"""Say in Markdown what a reviewer of a model wants to know, the verdict first: for one comment on GitHub.

Exit status 0: the gate could judge, whatever it said. 2: it could not, and the report says why.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `app` is

import report_parts
from gate import judge
from gate_case import Case, command_line, read_case
from gate_training import GateError
from gate_verdict import passes
from report_text import plain

MARKER = "<!-- model report -->"  # by it the comment is found again
LONGEST = 60_000  # characters: GitHub takes 65,536 in a comment
PLOTS = (
    "Sure is the probability of the verdict that it gave: of reviews of which it is 75% sure, it "
    "should be right in 75%. The plot is in the executed notebook, train.ipynb, in the run's artifact."
)


def report(case: Case, numstat: str = "") -> str:
    """Return the report of a case, at most `LONGEST` characters; `numstat` is git's count of changes."""
    verdicts = judge(case)
    yes = passes(verdicts)
    parts = [
        MARKER,
        f"## {'Yes: this model may' if yes else 'No: this model may not'} become champion",
        in_words(case),
        report_parts.rules(verdicts),
        "### What changed",
        report_parts.changes(case),
        report_parts.files(numstat),
        "### Champion and challenger",
        report_parts.figures(case),
        "### By kind of review",
        report_parts.slices(case),
        "### What it must be able to do",
        report_parts.behaviour(case),
        "### Is it as sure as it may be?",
        PLOTS,
        report_parts.reliability(case),
        "### Where they disagree most",
        report_parts.disagreements(case),
        report_parts.digests(case),
    ]
    text = "\n\n".join(filter(None, parts))
    if len(text) > LONGEST:
        raise GateError(
            f"The report would have {len(text):,} characters: train with shorter values."
        )
    return text


def in_words(case: Case) -> str:
    """Return what the comparison means."""
    if not case.comparison:
        return "There is no champion yet: a first model has to be good enough, not better."
    asked = " A maintainer asks only that it be not worse." if case.same_quality else ""
    return case.comparison.sentence + asked


def main() -> int:
    """Print the report; exit status as the module says."""
    arguments = command_line(__doc__)
    arguments.add_argument("--changed", type=Path, help="what git diff --numstat says of it")
    args = arguments.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # wherever it runs
    try:
        changed = args.changed.read_text("utf-8", "replace") if args.changed else ""
        print(report(read_case(args), changed))
    except GateError as error:
        print(error, file=sys.stderr)
        print(f"{MARKER}\n\n## It could not be judged\n\n{plain(str(error), 1000)}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
