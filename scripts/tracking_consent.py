"""A person's yes, before anything is made, changed or removed."""

from argparse import Namespace

from tracking_account import SetupError


def agree(args: Namespace, question: str) -> None:
    """Return if the answer is yes, or if --yes gave it. Raises `SetupError`."""
    if args.yes:
        return
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:  # nobody is there to answer
        print()
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise SetupError("Nothing was changed: answer y, or give --yes.")
