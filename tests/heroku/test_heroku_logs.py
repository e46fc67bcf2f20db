"""The log of an app: Heroku's format, what is asked for, and what never stands in it."""

import re
from urllib.parse import urlsplit

import pytest
import requests
from client import Client, small_app

from tests.tutorial.waiting import until

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 (app|heroku)\[[\w.]+\]: .*")


@pytest.fixture(scope="module")
def logged(api: Client) -> str:
    """An app that was configured, deployed and visited."""
    name = str(api.create("logged-app")["name"])
    api.patch(f"/apps/{name}/config-vars", {"GREETING": "a-secret-value"})
    api.deploy(name, small_app())
    requests.get(api.get(f"/apps/{name}")["web_url"], timeout=60)
    until(lambda: any("at=info" in line for line in api.log(name)), "the request is logged")
    return name


def test_lines_have_herokus_format(api: Client, logged: str) -> None:
    lines = api.log(logged)
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert lines == sorted(lines)
    text = "\n".join(lines)
    for words in (
        "app[api]: Set GREETING config vars by user",
        "app[api]: Build succeeded",
        "app[api]: Release v4 created by user",
        "heroku[web.1]: State changed from starting to up",
        "app[web.1]: the app begins",
        'heroku[router]: at=info method=GET path="/"',
    ):
        assert words in text


def test_a_part_can_be_asked_for(api: Client, logged: str) -> None:
    assert len(api.log(logged, lines=3)) == 3
    assert api.log(logged, lines=0) == []
    assert {line.split()[1] for line in api.log(logged, source="app")} >= {
        "app[api]:",
        "app[web.1]:",
    }
    assert not [line for line in api.log(logged, source="app") if " heroku[" in line]
    assert {line.split()[1] for line in api.log(logged, dyno_name="router")} == {"heroku[router]:"}
    processes = {line.split()[1] for line in api.log(logged, type="web", source="heroku")}
    assert processes == {"heroku[web.1]:"}


@pytest.mark.parametrize(
    "wrong", [{"lines": "many"}, {"lines": -1}, {"tail": "yes"}, {"source": 1}]
)
def test_nonsense_is_refused(api: Client, logged: str, wrong: dict[str, object]) -> None:
    answer = api.ask("POST", f"/apps/{logged}/log-sessions", wrong, hold=False)
    assert (answer.status, answer.body["id"]) == (422, "invalid_params")


def test_the_address_of_a_session_cannot_be_changed(api: Client, logged: str) -> None:
    url = api.post(f"/apps/{logged}/log-sessions", {"lines": 1})["logplex_url"]
    assert requests.get(url.replace("lines=1", "lines=9"), timeout=60).status_code == 403
    other = api.create("other-log-app")["id"]
    path = urlsplit(url).path
    assert requests.get(url.replace(path, f"/logs/{other}"), timeout=60).status_code == 403


def test_a_tail_gives_lines_as_they_come(api: Client, logged: str) -> None:
    session = {"tail": True, "lines": 1, "source": "app"}
    url = api.post(f"/apps/{logged}/log-sessions", session)["logplex_url"]
    with requests.get(url, stream=True, timeout=60) as response:
        lines = response.iter_lines(decode_unicode=True)
        next(lines)
        api.patch(f"/apps/{logged}/config-vars", {"NEWS": "1"})
        assert "Set NEWS config vars" in next(lines)


def test_a_reader_of_events_goes_on_where_it_was(api: Client, logged: str) -> None:
    session = {"tail": True, "lines": 2}
    url = api.post(f"/apps/{logged}/log-sessions", session)["logplex_url"]
    accept = {"Accept": "text/event-stream"}
    with requests.get(url, stream=True, timeout=60, headers=accept) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        lines = response.iter_lines(chunk_size=1, decode_unicode=True)
        first = [next(lines), next(lines)]
    number, line = first[0].removeprefix("id: "), first[1].removeprefix("data: ")
    assert LINE.fullmatch(line)
    accept["Last-Event-ID"] = number
    with requests.get(url, stream=True, timeout=60, headers=accept) as response:
        again = next(response.iter_lines(chunk_size=1, decode_unicode=True))
    assert int(again.removeprefix("id: ")) == int(number) + 1


def test_no_value_of_a_config_var_is_logged_or_built_in(api: Client, logged: str) -> None:
    build, output = api.build(logged, small_app("two"))
    assert build["status"] == "succeeded"
    assert "a-secret-value" not in output + "".join(api.log(logged))


def test_the_last_1500_lines_are_kept(api: Client) -> None:
    name = api.create("loud-app")["name"]
    # As on Heroku, what a dyno says beyond 1,000 lines a second is dropped.
    loud = """
import time
for part in range(2):
    print(*range(part * 900, part * 900 + 900), sep="\\n", flush=True)
    time.sleep(1.5)
time.sleep(600)
"""
    api.deploy(name, small_app(server__py=loud))
    until(lambda: any(line.endswith(" 1799") for line in api.log(name)), "it has said all")
    assert len(api.log(name)) == 1500
