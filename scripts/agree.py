"""Tell whether a model that was trained again is the one that was reviewed; each a training's folder.

What was reviewed comes from code that was new: it is compared with, and nothing of it is used.
"""

import argparse
import csv
import json
import math
import sys
from pathlib import Path

CLOSE = 1e-4  # of a probability; the arithmetic of two processors differs by less than a thousandth of it
LARGEST = 20_000_000  # bytes of a file


class DisagreementError(RuntimeError):
    """A model that may not be promoted. The message says why and what to do."""


def agree(reviewed: Path, trained: Path) -> str:
    """Return in a sentence how far two trainings agree. Raises `DisagreementError` where they do not."""
    their_input, their_model, theirs = read(reviewed)
    our_input, our_model, ours = read(trained)
    if their_input != our_input:
        raise DisagreementError(
            f"What is on main (input {our_input[:12]}) is not what was reviewed (input "
            f"{their_input[:12]}): main went on meanwhile. Update the pull request from main, and have "
            "it trained and approved again; if it is merged already, open another that touches it."
        )
    if their_model == our_model:
        return f"It is the very model that was reviewed: digest {our_model[:12]}."
    if [review for review, _ in theirs] != [review for review, _ in ours]:
        raise DisagreementError("It was reviewed on other test reviews: open a new pull request.")
    apart = max(abs(was - now) for (_, was), (_, now) in zip(theirs, ours, strict=True))
    if apart > CLOSE:
        raise DisagreementError(
            f"It is another model than the reviewed one: a probability differs by {apart:.6f}. Make "
            "the training give the same model every time, and open a pull request with that."
        )
    return (
        f"Its digest {our_model[:12]} is not the reviewed {their_model[:12]}, but it says the same: "
        f"of {len(ours):,} probabilities none differs by more than {apart:.6f}."
    )


def read(folder: Path) -> tuple[str, str, list[tuple[str, float]]]:
    """Return input digest, model digest, and each test review with its probability of being positive.

    Raises `DisagreementError` where the folder does not hold them.
    """
    record, predictions = folder / "record.json", folder / "predictions.csv"
    try:
        if max(path.stat().st_size for path in (record, predictions)) > LARGEST:
            raise ValueError
        said = json.loads(record.read_text(encoding="utf-8"))
        with predictions.open(encoding="utf-8", newline="") as file:
            rows = [(row["review"], float(row["positive"])) for row in csv.DictReader(file)]
        if not rows or not all(math.isfinite(positive) for _, positive in rows):
            raise ValueError
        return str(said["input_digest"]), str(said["model_digest"]), rows
    except (OSError, ValueError, KeyError, TypeError, RecursionError, csv.Error):
        raise DisagreementError(
            f"{folder} holds no training that can be read: train again."
        ) from None


def main() -> None:
    """Say it. Exit status 1, and the sentence on standard error, where the two do not agree."""
    parser = argparse.ArgumentParser(description="Is this the model that was reviewed?")
    parser.add_argument("folders", nargs=2, type=Path, metavar="FOLDER", help="reviewed, trained")
    try:
        print(agree(*parser.parse_args().folders))
    except DisagreementError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
