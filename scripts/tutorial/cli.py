"""The `tutorial` command."""

import contextlib
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tutorial import cloud, recorded_training
from tutorial import run as running
from tutorial.audit import audit as ask_audit
from tutorial.checks import CHECKS, run_checks
from tutorial.cloud.tail import Tail
from tutorial.errors import AlreadyToldError, TutorialError
from tutorial.github.commands import actions
from tutorial.github.pr_commands import pr
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.workspace import Workspace

app = typer.Typer(
    help="From 0Ops to MLOps: execute, check and build the tutorial.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command. An error is one sentence and exit status 1; `--debug` shows the traceback."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments, prog_name="tutorial")
    except TutorialError as error:
        if debug:
            raise
        if not isinstance(error, AlreadyToldError):
            err.print(str(error), style="red", soft_wrap=True, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def print_json(content: Any) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(content, indent=1, ensure_ascii=False))


@app.command()
def start() -> None:
    """Open JupyterLab at the first notebook; stays up until Ctrl+C."""
    from tutorial.start import start as start_jupyter

    sys.exit(start_jupyter(Home.current(), out))


@app.command()
def up() -> None:
    """Start the local cloud; what it kept is there again."""
    out.print(services_table(cloud.up(Home.current(), err.print)))


@app.command()
def down() -> None:
    """Stop the local cloud; what is in it stays."""
    cloud.down(Home.current())
    out.print("The local cloud is down; what is in it stays.")


@app.command()
def status(as_json: JSON = False) -> None:
    """Say which services of the local cloud run, and where."""
    states = cloud.status(Home.current())
    if as_json:
        print_json({"services": [asdict(state) for state in states]})
    elif states:
        out.print(services_table(states))
    else:
        out.print("The local cloud never was up here: `tutorial up` starts it.")


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="Its name; all if none.")] = None,
    lines: Annotated[int, typer.Option(min=1, help="The last so many of each.")] = 20,
    follow: Annotated[bool, typer.Option(help="Go on as they say more, until Ctrl+C.")] = False,
) -> None:
    """Show what the services of the local cloud say."""
    home = Home.current()
    names = [state.name for state in cloud.status(home)]
    if not names:
        raise TutorialError("The local cloud never was up here: `tutorial up` starts it.")
    if service is not None and service not in names:
        raise TutorialError(f"There is no service {service}: choose from {', '.join(names)}.")
    with contextlib.ExitStack() as files:
        chosen = [service] if service else names
        tails = {name: files.enter_context(Tail(cloud.log_of(home, name))) for name in chosen}
        for name, tail in tails.items():
            said = tail.lines(unfinished=not follow)
            print_log(name, said[-lines:] or ["it said nothing"])
        while follow:
            time.sleep(0.2)
            for name, tail in tails.items():
                print_log(name, tail.lines())


def print_log(name: str, lines: list[str]) -> None:
    """Print what a service said, its name before each line."""
    for line in lines:
        out.print(f"{name}: {line}", markup=False, soft_wrap=True)


def services_table(states: list[cloud.ServiceState]) -> Table:
    """Return the services as a table for a terminal."""
    table = Table("", "Service", "State", "Address")
    for state in states:
        mark = "[green]✓[/]" if state.state == "running" else "[red]✗[/]"
        table.add_row(mark, state.name, state.state, state.url)
    return table


@app.command()
def run(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(help="Milestones by number, interludes by name; all if none."),
    ] = None,
    fresh: Annotated[bool, typer.Option(help="In a new empty state; yours is left alone.")] = False,
    as_json: JSON = False,
) -> None:
    """Execute chapters without a screen."""
    with running.fresh_home() if fresh else contextlib.nullcontext(Home.current()) as home:
        outcomes = running.run(chapters or [], home, err)
        if as_json:
            print_json(running.as_json(outcomes))
        else:
            out.print(running.as_table(outcomes))
        problems = [outcome.problem for outcome in outcomes if outcome.problem]
        if problems:
            raise TutorialError(problems[0])


app.command()(actions)
app.add_typer(pr, name="pr")


@app.command()
def check(
    milestone: Annotated[
        int | None, typer.Argument(help="Its number; the last finished if none.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Probe what a milestone built."""
    home = Home.current()
    if milestone is None:
        finished = [n for n in CHECKS if Workspace(home.workspace).tagged(n)]
        if not finished:
            raise TutorialError(
                "No milestone is finished yet: run `tutorial run 0`, or its notebook."
            )
        milestone = finished[-1]
    if milestone not in CHECKS:
        raise TutorialError(
            f"There is no check {milestone}: choose from {', '.join(map(str, CHECKS))}."
        )
    results = run_checks(milestone, home)
    passed = sum(result.passed for result in results)
    if as_json:
        items = [asdict(result) for result in results]
        print_json({"passed": passed, "total": len(results), "items": items})
    else:
        table = Table("", "What must hold", "What was seen", title=f"Milestone {milestone}")
        for r in results:
            mark = "[green]✓[/]" if r.passed else "[red]✗[/]"
            table.add_row(mark, r.claim, r.seen if r.passed else f"{r.seen} {r.hint}")
        out.print(table)
    if passed < len(results):
        raise TutorialError(f"{len(results) - passed} of {len(results)} do not hold.")


@app.command()
def audit(as_json: JSON = False) -> None:
    """Ask the running system the eight questions."""
    answers = ask_audit(Home.current())
    known = sum(answer.answer is not None for answer in answers)
    if as_json:
        questions = [asdict(answer) for answer in answers]
        print_json({"answered": known, "of": len(answers), "questions": questions})
        return
    table = Table("", "Question", "Answer", "Evidence, or why not")
    for number, answer in enumerate(answers, start=1):
        table.add_row(
            str(number),
            answer.question,
            answer.answer or "nobody can tell",
            answer.evidence,
        )
    out.print(table)
    out.print(f"{known} of {len(answers)} questions can be answered.")


def workspace_with_app() -> Home:
    """Return the home, its workspace brought to the end of milestone 0 if it never was there."""
    home = Home.current()
    if not Workspace(home.workspace).tagged(0):
        err.print("The workspace is not built yet: milestone 0 comes first.")
        for outcome in running.run([0], home, err):
            if outcome.problem:
                raise TutorialError(outcome.problem)
    return home


def as_seen_from(home: Home, text: str) -> str:
    """Return a path as the workspace's processes need it: one of theirs as it is, one of here absolute."""
    if (home.workspace / text).exists() or not Path(text).exists():
        return text
    return str(Path(text).resolve())


@app.command()
def train(
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter, such as C=2."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A corpus's name or a CSV file; the workshop's if none.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Train a model for the workspace's models/sentiment.skops; from milestone 5 on, with a record."""
    home = workspace_with_app()
    place = as_seen_from(home, data) if data else None
    if recorded_training.leaves_records(home):
        given = [*(set_ or []), *([f"data={place}"] if place else [])]
        result = recorded_training.train(home, given)
        result |= {"rows": result["data_rows"], "seconds": round(result["seconds"], 2)}
    else:
        said = run_in_workspace(
            home, "tutorial.training", place or "workshop", *(set_ or []), progress=True
        )
        result = json.loads(said.strip().splitlines()[-1])
    if as_json:
        print_json(result)
        return
    out.print(f"Trained on {result['rows']:,} reviews in {result['seconds']} s.")
    if "run_id" in result:
        out.print(f"Run {result['run_id']} registered it as version {result['version']}.")
    out.print(f"models/sentiment.skops holds model {result['model_digest'][:12]}.")
    out.print(f"Its data digest is {result['data_digest'][:12]}.")


@app.command()
def evaluate(
    model_uri: Annotated[str, typer.Argument(help="As in MODEL_URI.")],
    data: Annotated[str, typer.Argument(help="A corpus's name or a CSV file.")],
    as_json: JSON = False,
) -> None:
    """Measure a model on labelled reviews."""
    home = workspace_with_app()
    arguments = [as_seen_from(home, model_uri), as_seen_from(home, data)]
    said = run_in_workspace(
        home,
        "app.evaluation",
        *arguments,
        *(["--json"] if as_json else []),
        progress=True,
    )
    if as_json:
        print_json(json.loads(said.strip().splitlines()[-1]))
    else:
        out.print(said.rstrip(), markup=False)


@app.command()
def doctor() -> None:
    """Say whether this machine is fit, and what to do if not."""
    from tutorial.doctor import look_around

    findings = look_around(Home.current())
    for finding in findings:
        mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]![/]"}[finding.fit]
        out.print(f"{mark} {finding.subject:<12} {finding.said}", soft_wrap=True)
    unfit = [finding.subject for finding in findings if finding.fit is False]
    if unfit:
        raise TutorialError(f"Mend this first: {', '.join(unfit)}.")


@app.command()
def reset(
    to: Annotated[int | None, typer.Option(help="Back to the end of this milestone.")] = None,
) -> None:
    """Start again; the former workspace is kept aside."""
    from tutorial.reset import reset as reset_home

    out.print(reset_home(Home.current(), to), soft_wrap=True)


@app.command()
def sync(
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if stale.")
    ] = False,
) -> None:
    """For authors: copy files into the notebooks' cells, draw the pictures."""
    from tutorial.sync import sync as sync_all

    stale = sync_all(write=not check_only)
    for name in stale:
        out.print(f"{'stale' if check_only else 'brought up to date'}: {name}")
    if stale and check_only:
        raise TutorialError("Run `tutorial sync` and commit what it changes.")


@app.command()
def book(
    cold: Annotated[bool, typer.Option(help="Execute every notebook anew.")] = False,
) -> None:
    """For authors: build the book into _build/html."""
    from tutorial.book import build

    out.print(f"The book is in {os.path.relpath(build(cold=cold))}: open index.html there.")


@app.command()
def bench(as_json: JSON = False) -> None:
    """For authors: measure the figures that we hold ourselves to."""
    from tutorial.bench import measure
    from tutorial.figures import table

    figures = measure(err)
    if as_json:
        print_json([asdict(figure) | {"met": figure.met} for figure in figures])
    else:
        out.print(table(figures))
    missed = [figure.name for figure in figures if not figure.met]
    if missed:
        raise TutorialError(f"Not met: {', '.join(missed)}.")
