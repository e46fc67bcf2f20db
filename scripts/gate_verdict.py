"""What the rules of a gate say, and what that comes to."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Verdict:
    """What one rule says of a case, and what it saw."""

    holds: bool
    evidence: str


def passes(verdicts: Mapping[str, Verdict]) -> bool:
    """Tell whether every rule holds: no rule makes up for another."""
    return all(verdict.holds for verdict in verdicts.values())


def tell(verdicts: Mapping[str, Verdict], as_json: bool) -> int:
    """Print each rule's verdict by its name, and all in all; return the exit status, 0 for yes and 1 for no."""
    yes = passes(verdicts)
    if as_json:
        rules = {name: asdict(verdict) for name, verdict in verdicts.items()}
        print(json.dumps({"yes": yes, "rules": rules}))
    else:
        for name, verdict in verdicts.items():
            print(f"{'yes' if verdict.holds else 'NO':<5}{name:<12}{verdict.evidence}")
        print("Yes: it may become champion." if yes else "No: it may not become champion.")
    return 0 if yes else 1
