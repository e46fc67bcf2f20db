"""Ask every link of the book to another site whether it still leads somewhere: `make links`."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from tutorial.book import configuration
from tutorial.errors import TutorialError
from tutorial.home import PROJECT

# What a chapter starts on the reader's own machine is not there when the book is read.
OWN_MACHINE = (r"https?://(127\.0\.0\.1|localhost)\b",)
# Their pages make their anchors with a script, which a link checker does not run.
ANCHORS_MADE_LATE = (r"https://github\.com/",)


def broken_links(source: Path = PROJECT, ignored: Sequence[str] = OWN_MACHINE) -> list[str]:
    """Return one line for each link to another site that leads nowhere: page, line, address, why.

    `source` is the folder of the book, `ignored` the patterns of addresses that are not asked. No
    notebook is executed. Raises `TutorialError` if the book cannot be read.
    """
    config = configuration(source, execute=False)
    config["sphinx"]["config"] |= {
        "linkcheck_ignore": list(ignored),
        "linkcheck_anchors_ignore_for_url": list(ANCHORS_MADE_LATE),
        "linkcheck_timeout": 20,
        "linkcheck_retries": 3,
        "linkcheck_rate_limit_timeout": 60,
        "linkcheck_report_timeouts_as_broken": True,
    }
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "_config.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(source)]
        command += ["--builder", "linkcheck", "--path-output", made, "--config", str(file)]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True)
        answers = Path(made) / "_build" / "html" / "output.json"
        if not answers.is_file():
            print(done.stderr, file=sys.stderr)
            raise TutorialError("The book cannot be read: what stopped it stands above.")
        lines = answers.read_text(encoding="utf-8").splitlines()
    links = [json.loads(line) for line in lines]
    return [
        f"{link['filename']}:{link['lineno']}: {link['uri']} {link['info']}".rstrip()
        for link in links
        if link["status"] == "broken"
    ]


def main() -> None:
    """Print the links that lead nowhere; exit status 1 if there is one."""
    try:
        broken = broken_links()
    except TutorialError as error:
        sys.exit(str(error))
    for line in broken:
        print(line)
    if broken:
        sys.exit("Mend the links above, or take them out: they lead nowhere.")
    print("Every link to another site leads somewhere.")


if __name__ == "__main__":
    main()
