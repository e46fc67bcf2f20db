"""`python -m pip` of a job: uv, which installs from the machine's cache before it asks the network."""

import subprocess
import sys
from pathlib import Path

UV = Path(__file__).with_name("uv")  # a link that was made beside this file
HERE = ("install", "uninstall", "list", "freeze", "show", "check")


def main() -> int:
    """Return uv's exit status."""
    arguments = sys.argv[1:]
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command == "install":
        first = _uv(*arguments, "--python", sys.executable, "--offline", quiet=True)
        if first == 0:
            return 0
        print("The cache has not all of it: the network is asked.", flush=True)
    own = ("--python", sys.executable) if command in HERE else ()
    return _uv(*arguments, *own)


def _uv(*arguments: str, quiet: bool = False) -> int:
    errors = subprocess.PIPE if quiet else None
    done = subprocess.run([UV, "pip", *arguments], stderr=errors, text=True)
    if quiet and done.returncode == 0:
        print(done.stderr, end="", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
