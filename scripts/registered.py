"""Say which version of a registered model to promote: the first of this commit that holds this model.

    python scripts/registered.py TRAINED >> "$GITHUB_OUTPUT"

A job that runs twice registers its model twice. Promoting the second would make the first, the same model,
what going back leads to.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `app` is

from app.sources import SourceError
from app.sources.registry_client import client
from app.sources.registry_errors import in_a_sentence


def first_of(name: str, commit: str, digest: str) -> str | None:
    """Return the version of a commit and a model digest that was registered first. Raises `SourceError`."""
    with in_a_sentence(f"models:/{name}"):
        found = client().search_model_versions(f"name = '{name}'")
    same = {"git_commit": commit, "model_digest": digest}
    numbers = [int(one.version) for one in found if same.items() <= dict(one.tags).items()]
    return str(min(numbers)) if numbers else None


def main() -> None:
    """Say it for a folder that a training has left. Exit status 1, and a sentence, where none is there."""
    record = json.loads((Path(sys.argv[1]) / "record.json").read_text(encoding="utf-8"))
    try:
        version = first_of("sentiment", record["git_commit"], record["model_digest"])
    except SourceError as error:
        sys.exit(str(error))
    if version is None:
        sys.exit("This training registered no model: set MLFLOW_TRACKING_URI, and train again.")
    print(f"version={version}")


if __name__ == "__main__":
    main()
