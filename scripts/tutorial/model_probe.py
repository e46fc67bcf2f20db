"""`python -m tutorial.model_probe`, in a workspace: how good its model is, and what a broken one gets.

Prints JSON: `evaluation` and `digest`, or `problem`, a sentence; and `refusal`, what is said of a file that is no model,
or null where it is accepted. One process for both: importing the app takes seconds.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any


def main() -> None:
    """Measure the workspace's model on its test set, then offer a broken file to its loader."""
    from app.data import read_reviews
    from app.evaluation import evaluate
    from app.model_file import load, model_digest

    said: dict[str, Any] = dict.fromkeys(("evaluation", "digest", "problem", "refusal"))
    try:
        model, reviews = load("models/sentiment.skops"), read_reviews("data/test.csv")
        said["digest"] = model_digest(model)
        said["evaluation"] = asdict(evaluate(model, reviews))
    except ValueError as error:
        said["problem"] = str(error)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentiment.skops"
        path.write_bytes(b"not a model")
        try:
            load(path)
        except ValueError as error:
            said["refusal"] = str(error)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
