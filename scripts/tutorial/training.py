"""`python -m tutorial.training DATA [name=value ...]`, in a workspace: train a model and save it.

It imports the workspace's `app`, so it runs as a process of its own (see `tutorial.processes`).
"""

import json
import sys
import time


def main() -> int:
    """Train and save `models/sentiment.skops`; print a line of JSON on it. Exit status 1 on bad input."""
    from app.corpora import labelled
    from app.data import DataError, data_digest
    from app.model import ModelError, Params, train
    from app.model_file import model_digest, save

    name, *assignments = sys.argv[1:]
    try:
        params = Params.parse(assignments)
        reviews = labelled(name, "train")
        started = time.perf_counter()
        model = train(reviews, params)
        save(model, "models/sentiment.skops")
    except (DataError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    result = {
        "rows": len(reviews),
        "data_digest": data_digest(reviews),
        "model_digest": model_digest(model),
        "seconds": round(time.perf_counter() - started, 2),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
