"""Make a version of a registered model champion, or the one before it again. The app follows by itself.

MLFLOW_TRACKING_* say which registry, MODEL_FALLBACK_URI where the champion is copied to. Whatever
ends it half way, run it again: it does what is left to do.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `app` is

from app.sources import SourceError
from candidate import examine
from champion import Champion, PromotionError, named, whoami
from publication import card_of, destination, publish, wait_for

say = partial(print, flush=True)


def promote(champion: Champion, args: argparse.Namespace) -> None:
    """Make a version champion; if the app does not follow, the former one is champion again."""
    candidate = examine(champion.name, args.version)
    say(candidate.record)
    if args.wait:
        card_of(args.wait)  # an app that is away follows nobody: then nothing is changed
    version = champion.version(args.version)
    former = champion.promote(version, args.by, args.why)
    say(f"Version {version.version} is champion, after {named(former)}.")
    try:
        wait_for(candidate, args.wait, args.seconds, say)
    except PromotionError as error:
        champion.go_back(version, former, args.by, str(error))
        champion.gone_back()
        raise PromotionError(f"{str(error)[:-1]}; {named(former)} is champion again.") from None
    publish(candidate, args.fallback, say)


def roll_back(champion: Champion, args: argparse.Namespace) -> None:
    """Make the version before the champion champion again."""
    version = champion.now()
    former = champion.before(version) if version else None
    if not version or not former:
        raise PromotionError(f"Nothing was champion before {named(version)}: promote a version.")
    candidate = examine(champion.name, former.version)
    say(candidate.record)
    if former.version != version.version:
        champion.go_back(version, former, args.by, args.why)
    say(f"Version {former.version} is champion again.")
    wait_for(candidate, args.wait, args.seconds, say)
    publish(candidate, args.fallback, say)
    champion.gone_back()


def main() -> None:
    """Do what the command line says. Exit status 1, and a sentence on standard error, if it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", nargs="?", help="the number of the version to promote")
    parser.add_argument("--rollback", action="store_true", help="go back to the former champion")
    parser.add_argument("--why", default="not said", help="the reason, which is kept")
    parser.add_argument("--by", default="", help="who decided it, if not you")
    parser.add_argument("--wait", metavar="URL", help="see the app answer with it, or go back")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to wait at most")
    args = parser.parse_args()
    if bool(args.version) == args.rollback:
        parser.error("give one of VERSION and --rollback")
    try:
        args.by, args.fallback = args.by or whoami(), destination()
        (roll_back if args.rollback else promote)(Champion("sentiment"), args)
    except (PromotionError, SourceError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: run it again to do what is left to do.")


if __name__ == "__main__":
    main()
