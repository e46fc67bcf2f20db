"""May the challenger become champion? Each rule says yes to evidence only; gate.yaml has the numbers.

Exit status 0: yes. 1: no. 2: it could not be judged, and a sentence on standard error says why.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `app` is

from gate_case import Case, command_line, read_case
from gate_training import GateError
from gate_verdict import Verdict, tell


def better(case: Case) -> Verdict:
    """Right more often on the same reviews, beyond luck; where that is asked, not less often."""
    if not (result := case.comparison):
        least, (low, high) = case.limits.first_accuracy, case.challenger.whole.accuracy_interval
        seen = f"a first model, right on {low:.1%} to {high:.1%} of such reviews (95%)"
        return Verdict(low > least, f"{seen}: all of it must be above {least:.0%}")
    margin = case.limits.same_quality if case.same_quality else case.limits.better
    low, high = (100 * end for end in result.difference_interval)
    seen = f"the accuracy changes by {low:+.1f} to {high:+.1f} points (95%)"
    return Verdict(result.lies_above(margin), f"{seen}: all of it must be above {100 * margin:g}")


def behaves(case: Case) -> Verdict:
    """Able to do what every model must be able to do."""
    groups = case.challenger.behaviour.items()
    below = ", ".join(f"{name} ({group.rate:.0%})" for name, group in groups if not group.holds)
    return Verdict(not below, f"below the floor: {below}" if below else "no group below its floor")


def calibrated(case: Case) -> Verdict:
    """As sure as it may be, or as the champion is, but for luck."""
    error, most = case.challenger.calibration, case.limits.first_calibration
    if case.champion:
        most = case.champion.calibration + case.limits.calibration_tolerance
    return Verdict(error <= most, f"the calibration error is {error:.3f}: {most:.3f} at most")


def valid(case: Case) -> Verdict:
    """Tested on enough reviews, of both sentiments, not those it learned from; its code is kept."""
    model, least = case.challenger, case.limits.test_rows
    rows, positive = len(model.truth), int(model.truth.sum())
    faults = {
        f"{rows:,} test reviews: {least:,.0f} at least": rows < least,
        "the test reviews are all of one sentiment": positive in (0, rows),
        "tested on what it was trained on": model.digests["data"] == model.digests["test"],
        "trained with changes that no commit holds": model.commit.endswith("-dirty"),
    }
    found = "; ".join(fault for fault, holds in faults.items() if holds)
    return Verdict(not found, found or f"{rows:,} test reviews, {positive:,} of them positive")


def fits(case: Case) -> Verdict:
    """Small enough for the app, which holds two where one takes the other's place."""
    limits, model = case.limits, case.challenger
    most = (limits.dyno_megabytes - limits.app_megabytes) / limits.models_at_once
    memory, file = model.memory_bytes / 1e6, model.file_bytes / 1e6
    seen = f"{memory:.1f} MB in memory: {most:.0f} at most; a file of {file:.1f} MB: "
    holds = memory <= most and file <= limits.file_megabytes
    return Verdict(holds, f"{seen}{limits.file_megabytes:.0f} at most")


def judge(case: Case) -> dict[str, Verdict]:
    """Ask every rule."""
    return {rule.__name__: rule(case) for rule in (better, behaves, calibrated, valid, fits)}


if __name__ == "__main__":
    arguments = command_line(__doc__)
    arguments.add_argument("--json", action="store_true")
    args = arguments.parse_args()
    try:
        sys.exit(tell(judge(read_case(args)), args.json))
    except GateError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
