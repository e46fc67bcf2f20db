"""`python -m tutorial.data_probe FILE`, in a workspace: print the digest of its reviews.

It imports the workspace's `app`, so it runs as a process of its own (see `tutorial.processes`).
"""

import sys


def main() -> int:
    """Print the data digest of a CSV file. Exit status 1, and a sentence, where it is no such file."""
    from app.data import DataError, data_digest, read_reviews

    try:
        print(data_digest(read_reviews(sys.argv[1], "data/train.csv")))
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
