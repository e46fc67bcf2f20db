"""The report of a model says what a reviewer needs, in one comment, and holds no secret."""

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pandas as pd
import pytest
from made_trainings import PARAMETERS, Made
from markdown_it import MarkdownIt

from gate import judge
from gate_case import Case, command_line, read_case
from report import LONGEST, MARKER, report
from report_parts import REVIEWS
from tutorial.home import PROJECT

Make = Callable[..., Made]


def case_of(*told: object) -> Case:
    """Read a case as the command line names it."""
    folders = [str(each.folder) if isinstance(each, Made) else str(each) for each in told]
    return read_case(command_line(None).parse_args(folders))


def tables(markdown: str) -> dict[str, list[list[str]]]:
    """The cells of every table by the heading before it, as GitHub would read them; "" before the verdict's."""
    found: dict[str, list[list[str]]] = {}
    heading, tokens = "", MarkdownIt("commonmark").enable("table").parse(markdown)
    for token, text in itertools.pairwise(tokens):
        if token.type == "heading_open":
            heading = text.content
        elif token.type == "tr_open":
            found.setdefault(heading, []).append([])
        elif token.type in ("th_open", "td_open"):
            found[heading][-1].append(text.content)
    return found


def test_the_verdict_comes_first_and_then_rule_by_rule(champion: Made, made: Make) -> None:
    better = report(case_of(champion, made("challenger", right=570)))
    assert better.splitlines()[:3] == [MARKER, "", "## Yes: this model may become champion"]
    case = case_of(champion, made("other", right=545, start=30))
    said = report(case)
    assert said.splitlines()[2] == "## No: this model may not become champion"
    assert case.comparison is not None
    assert case.comparison.sentence in said.splitlines()[4]
    [head, *rules] = tables(said)["No: this model may not become champion"]
    assert head == ["Rule", "Holds", "What it saw"]
    assert rules == [
        [name, "yes" if verdict.holds else "**no**", verdict.evidence]
        for name, verdict in judge(case).items()
    ]


def test_what_changed_is_old_and_new_and_nothing_else(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    challenger.say(
        parameters={**PARAMETERS, "C": 2.5, "ngrams": 2.0, "data": "data/my_more.csv"},
        data_rows=1700,
        data_digest="9" * 64,
    )
    said = tables(report(case_of(champion, challenger)))["What changed"]
    assert said[1:] == [
        ["data", "workshop", r"data/my\_more.csv"],
        ["C", "1.0", "2.5"],
        ["training reviews", "`aaaaaaaaaaaa`, 1,500 rows", "`999999999999`, 1,700 rows"],
    ]


def test_where_only_code_changed_or_nothing_it_says_so(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    assert "Nothing that a model is made from." in report(case_of(champion, challenger))
    challenger.say(input_digest="0" * 64)
    assert "The code alone." in report(case_of(champion, challenger))


def test_the_two_stand_side_by_side(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    challenger.say(memory_bytes=30_000_000)
    said = tables(report(case_of(champion, challenger)))
    figures = {name: cells for name, *cells in said["Champion and challenger"]}
    assert figures["accuracy (95%)"] == ["90.0% (87.3% to 92.2%)", "95.0% (93.0% to 96.5%)"]
    assert figures["calibration error"] == ["0.000", "0.000"]
    assert figures["MB in memory"] == ["25.0", "30.0"]
    assert said["By kind of review"][1][:2] == ["short", "600"]
    assert ["negation", "18 of 20", "18 of 20", "50%", "yes"] in said["What it must be able to do"]
    sure = said["Is it as sure as it may be?"]
    assert [row[0] for row in sure[1:]] == [
        "50% to 60%",
        "60% to 70%",
        "70% to 80%",
        "80% to 90%",
        "90% to 100%",
    ]
    assert sure[5][4:] == ["95%", "95%", "600"]


def test_the_reviews_that_they_disagree_most_on_come_first(champion: Made, made: Make) -> None:
    """The challenger alone is right from number 540 on, and of all these numbers as sure."""
    said = report(case_of(champion, made("challenger", right=570)))
    rows = re.findall(r"^Row (\d+) is .* the (\w+) is right", said, re.M)
    assert rows == [(str(row), "challenger") for row in range(541, 541 + REVIEWS)]
    assert said.count("\n> Review number ") == REVIEWS
    # Another that is as sure of the same verdicts, but for the last of those that it alone has right.
    nearly = made("nearly", right=570)
    path = nearly.folder / "predictions.csv"
    table = pd.read_csv(path)
    table.loc[569, "positive"] = 0.000001
    table.to_csv(path, index=False, float_format="%.6f")
    said = report(case_of(champion, nearly))
    assert said.index("Row 570 is **negative** and the challenger") < said.index("Row 541 is")
    assert "They agree on every review." in report(case_of(champion, champion))


def test_a_first_model_is_reported_on_alone(made: Make) -> None:
    said = report(case_of("--first", made("challenger", right=570)))
    assert "## Yes" in said
    assert "There is no champion" in said
    [head, *rows] = tables(said)["Is it as sure as it may be?"]
    assert len(head) == len(rows[0]) == 4
    assert "champion, data" not in said


def test_the_digests_are_folded_and_whole(champion: Made, made: Make) -> None:
    said = report(case_of(champion, made("challenger", right=570)))
    folded = said[said.index("<details>") : said.index("</details>")]
    for fact, value in champion.record.items():
        if fact.endswith(("_digest", "_sha256", "_commit")):
            assert folded.count(value) == 2, fact


def test_the_longest_report_fits_a_comment(champion: Made, made: Make) -> None:
    reviews = ["&@#<1" * 2000 + str(row) for row in range(600)]
    names = [f"p{number:0>39}" for number in range(30)]
    folders = []
    for name, right, value in (("old", 500, "&" * 500), ("new", 580, "&" * 499 + "<")):
        training = made(name, right=right, reviews=reviews)
        cases = {"cases": 10**11, "passed": 10**11}
        groups = {f"g{number:0>39}": cases for number in range(20)} | training.record["behaviour"]
        training.say(parameters=dict.fromkeys(names, value), behaviour=groups, seconds=9e11)
        training.say(
            **{f"{digest}_digest": name[0].encode().hex() * 32 for digest in ("data", "lock")}
        )
        folders.append(training)
    said = report(case_of(*folders))
    assert said.count("\n> ") == REVIEWS
    assert 20_000 < len(said) < LONGEST


def run(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROJECT / "scripts" / "report.py", *arguments]
    return subprocess.run(
        list(map(str, command)), capture_output=True, encoding="utf-8", env={**os.environ, **env}
    )


def test_the_command_prints_it_and_no_word_of_its_environment(made: Make) -> None:
    reviews = [f"Très beau, {row} fois." for row in range(600)]
    champion = made("champion", right=540, reviews=reviews)
    challenger = made("challenger", right=560, start=20, reviews=reviews)
    secrets = {
        name: f"correct-horse-{number}"
        for number, name in enumerate(
            ("APP_PRIVATE_KEY", "GITHUB_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY")
        )
    }
    # Wherever it runs: of a terminal that cannot show it, the report knows nothing.
    done = run(
        champion.folder, challenger.folder, "--same-quality", **secrets, PYTHONIOENCODING="ascii"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == report(case_of(champion, challenger, "--same-quality")) + "\n"
    assert "correct-horse" not in done.stdout
    assert str(champion.folder.parent) not in done.stdout


def test_a_report_that_cannot_be_says_why(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=560)
    challenger.say(model_digest="<b>@everyone</b>")
    done = run(champion.folder, challenger.folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout.startswith(f"{MARKER}\n\n## It could not be judged\n")
    assert "model\\_digest" in done.stdout
    assert "everyone" not in done.stdout


@pytest.mark.parametrize("label", [True, False])
def test_a_label_is_told(champion: Made, made: Make, label: bool) -> None:
    challenger = made("challenger", right=540)
    said = report(case_of(champion, challenger, *["--same-quality"] * label))
    assert ("A maintainer asks" in said) is label
    assert ("## Yes" in said) is label


def test_files_that_change_are_counted_and_their_names_do_nothing(
    champion: Made, made: Make
) -> None:
    case = case_of(champion, made("challenger", right=570))
    numstat = (
        "1112\t0\tdata/train.csv\n1\t1\tparams.yaml\n-\t-\ta|b <img src=x> @reader #1.png\nodd\n"
    )
    said = report(case, numstat)
    _, *rows = [row for row in tables(said)["What changed"] if len(row) == 3][-4:]
    assert rows[:2] == [["data/train.csv", "1112", "0"], ["params.yaml", "1", "1"]]
    assert rows[2][1:] == ["", ""]
    shown = MarkdownIt("gfm-like", {"html": True}).enable("table").render(said)
    assert "<img" not in shown
    assert "@reader" not in said
    many = "".join(f"1\t0\tdata/{number}.csv\n" for number in range(25))
    assert "And 5 files more." in report(case, many)
    assert "Lines added" not in report(case)
