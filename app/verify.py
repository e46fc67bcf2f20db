"""Can this app serve? `python -m app.verify` loads the model that `MODEL_URI` names and tries its example.

Exit status 0 if so; else 1, and one sentence on standard error. A platform runs it before it lets
a release go live.
"""

import sys

from app.live import Live
from app.settings import Settings, SettingsError


def main() -> int:
    """Look at the model's source once and say what is there."""
    try:
        live = Live(Settings.from_environment())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    live.refresh()
    if live.serving is None:
        print(live.problem, file=sys.stderr)
        return 1
    print(f"{live.serving.uri} predicts its own example; model digest {live.serving.digest[:12]}")
    if live.problem:  # it is the fallback
        print(live.problem, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
