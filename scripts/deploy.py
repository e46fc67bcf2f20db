"""Deploy what git has committed and see it serve; if it does not, go back to what served before.

HEROKU_APP_NAME and HEROKU_API_KEY say which app, HEROKU_API_URL which platform if not Heroku's own.
"""

import argparse
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from heroku import App, HerokuError, Release

say = partial(print, flush=True)


def git(*command: str) -> bytes:
    done = subprocess.run(["git", *command], capture_output=True)
    if done.returncode:
        raise HerokuError("There is no commit to deploy: run `git init`, `git add`, `git commit`.")
    return done.stdout


def pack(model: str) -> bytes:
    """Return a tarball of the commit at HEAD, and of the model if that is a file git does not have."""
    if changed := git("status", "--porcelain").decode().splitlines():
        say("Not committed, so not deployed:", *changed, sep="\n")
    apart = ":" not in model and model not in git("ls-files").decode().splitlines()
    if apart and not Path(model).is_file():
        raise HerokuError(f"The app's MODEL_URI is {model}, and no such file is here: train one.")
    add = [f"--prefix={Path(model).parent}/", f"--add-file={model}", "--prefix="] if apart else []
    return git("archive", "--format=tar.gz", *add, "HEAD")


def watch(app: App, release: Release) -> None:
    """See a release through its release phase, then wait until it serves."""
    started = time.monotonic()
    app.finish(release, say)
    say(f"v{release['version']} ({release['description']}) is released. Does it answer?")
    card = app.serving(release, seconds=75)
    say(f"v{release['version']} serves, after {time.monotonic() - started:.1f} s: {app.web_url}")
    say(f"Model {card['digest'][:12]} answers.")


def deploy(app: App) -> None:
    tarball = pack(app.config().get("MODEL_URI") or "models/sentiment.skops")
    commit = git("rev-parse", "HEAD").decode().strip()
    say(f"Uploading commit {commit[:7]} for {app.web_url}: {len(tarball) / 1e6:.1f} MB")
    release = None
    try:
        release = app.build(app.upload(tarball), commit, say)
        watch(app, release)
    except HerokuError as error:
        if release and release["version"] == app.newest():  # it is live, and does not serve
            say(f"{error} Its log:", *app.logs(10), "Going back.", sep="\n")
            watch(app, app.rollback(app.before(release["version"])))
        live = f"v{number}" if (number := app.newest()) else "Nothing"
        raise HerokuError(f"{error} {live} is live.") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollback", nargs="?", const="", metavar="vN", help="go back (to vN)")
    which = parser.parse_args().rollback
    try:
        app = App(os.environ)
        if which is None:
            deploy(app)
        else:
            former = app.release(which.strip("v")) if which else app.before(app.newest())
            watch(app, app.rollback(former))
    except (HerokuError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "Interrupted: what the platform has begun goes on there, unwatched.")


if __name__ == "__main__":
    main()
