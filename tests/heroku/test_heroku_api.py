"""What the platform answers: apps, config vars, formation, dynos, sources; and who is let in."""

import socket
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from client import ACCEPT, Client, small_app

from tests.tutorial.waiting import until


def bare(api: Client, method: str, path: str, **more: object) -> requests.Response:
    """Ask without the client's headers."""
    return requests.request(method, f"{api.url}{path}", timeout=60, **more)  # type: ignore[arg-type]


def test_health_asks_for_no_key(api: Client) -> None:
    assert bare(api, "GET", "/_health").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !"},
        {"Authorization": "Digest x"},
    ],
)
def test_nobody_is_let_in_without_the_key(api: Client, given: dict[str, str]) -> None:
    answer = bare(api, "GET", "/account", headers={"Accept": ACCEPT, **given})
    assert answer.status_code == 401
    assert answer.json()["id"] == "unauthorized"


def test_the_key_may_come_as_a_password(api: Client) -> None:
    answer = bare(api, "GET", "/account", headers={"Accept": ACCEPT}, auth=("", api.key))
    assert answer.json() == api.get("/account")


def test_version_3_must_be_asked_for(api: Client) -> None:
    answer = bare(api, "GET", "/account", headers={"Authorization": f"Bearer {api.key}"})
    assert (answer.status_code, answer.json()["id"]) == (406, "not_acceptable")


def test_it_listens_on_the_loopback_interface_alone(api: Client) -> None:
    api.create("loopback-app")
    platforms = psutil.Process().children(recursive=True)
    listening = {
        connection.laddr.ip
        for process in platforms
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_unknown_paths_are_errors_of_herokus_form(api: Client) -> None:
    for method, path in (("GET", "/nothing"), ("PUT", "/apps"), ("GET", "/apps/a/b/c/d")):
        answer = api.ask(method, path, hold=False)
        assert (answer.status, answer.body["id"]) == (404, "not_found")


def test_an_app_is_made_found_renamed_and_deleted(api: Client) -> None:
    app = api.create("first-app")
    assert app["stack"]["name"] == "container"
    assert api.get("/apps/first-app") == api.get(f"/apps/{app['id']}") == app
    assert "first-app" in [each["name"] for each in api.get("/apps")]
    assert api.patch("/apps/first-app", {"name": "second-app"})["id"] == app["id"]
    assert api.ask("GET", "/apps/first-app").status == 404
    assert api.ask("DELETE", "/apps/second-app").body["name"] == "second-app"
    assert api.ask("GET", f"/apps/{app['id']}").status == 404


def test_an_app_without_a_name_gets_one(api: Client) -> None:
    assert api.post("/apps", {})["name"]


@pytest.mark.parametrize(
    "name", ["ab", "a" * 31, "Upper", "1st-app", "ends-", "a_b", "a b", "../x", "ünïcode"]
)
def test_names_keep_herokus_rules(api: Client, name: str) -> None:
    answer = api.ask("POST", "/apps", {"name": name}, hold=False)
    assert (answer.status, answer.body["id"]) == (422, "invalid_params")
    assert answer.body["message"].startswith("Name ")


def test_a_name_is_taken_once(api: Client) -> None:
    api.create("taken-app")
    other = api.create("other-app")
    for method, path in (("POST", "/apps"), ("PATCH", f"/apps/{other['id']}")):
        answer = api.ask(method, path, {"name": "taken-app"})
        assert (answer.status, answer.body["message"]) == (422, "Name taken-app is already taken")


def test_the_stack_is_set_for_the_next_build(api: Client) -> None:
    app = api.post("/apps", {"name": "stack-app"})
    assert app["stack"]["name"] != "container"
    app = api.patch("/apps/stack-app", {"build_stack": "container"})
    assert app["build_stack"]["name"] == "container"
    assert api.ask("PATCH", "/apps/stack-app", {"build_stack": "windows-95"}).status == 422


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "1"])
def test_a_body_that_is_no_object_is_refused(api: Client, body: str) -> None:
    headers = {"Accept": ACCEPT, "Authorization": f"Bearer {api.key}"}
    answer = bare(api, "POST", "/apps", headers=headers, data=body)
    assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")


def test_config_vars_are_set_and_removed_and_each_change_is_a_release(api: Client) -> None:
    api.create("config-app")
    assert api.get("/apps/config-app/config-vars") == {}
    assert api.patch("/apps/config-app/config-vars", {"A": "1", "B": "two"}) == {
        "A": "1",
        "B": "two",
    }
    assert api.patch("/apps/config-app/config-vars", {"A": None, "C": "3"}) == {
        "B": "two",
        "C": "3",
    }
    api.patch("/apps/config-app/config-vars", {"C": "3"})  # nothing changes
    api.patch("/apps/config-app/config-vars", {"C": None})
    releases = api.get("/apps/config-app/releases")
    assert [release["description"] for release in releases] == [
        "Initial release",
        "Enable Logplex",
        "Set A, B config vars",
        "Set C and Remove A config vars",
        "Remove C config vars",
    ]
    assert [release["current"] for release in releases] == [False] * 4 + [True]
    assert api.get("/apps/config-app/releases/3/config-vars") == {"A": "1", "B": "two"}


@pytest.mark.parametrize(
    "change", [{"A-B": "1"}, {"": "1"}, {"A": 1}, {"A": "x" * 70_000}, {"A": "\0"}]
)
def test_impossible_config_vars_change_nothing(api: Client, change: dict[str, object]) -> None:
    name = api.post("/apps", {})["name"]
    answer = api.ask("PATCH", f"/apps/{name}/config-vars", {"GOOD": "1", **change}, hold=False)
    assert (answer.status, answer.body["id"]) == (422, "invalid_params")
    assert api.get(f"/apps/{name}/config-vars") == {}
    assert len(api.get(f"/apps/{name}/releases")) == 2


def test_lists_come_in_ranges(api: Client) -> None:
    api.create("range-app")
    for number in range(4):
        api.patch("/apps/range-app/config-vars", {"N": str(number)})
    path = "/apps/range-app/releases"

    def versions(wanted: str) -> list[int]:
        return [release["version"] for release in api.get(path, Range=wanted)]

    assert versions("version ..") == [1, 2, 3, 4, 5, 6]
    assert versions("version ..; order=desc,max=1") == [6]
    assert versions("version ..; max=2, order=desc") == [6, 5]
    assert versions("version 2..4") == [2, 3, 4]
    assert versions("version ]2..4; max=1") == [3]
    first = api.ask("GET", path, Range="version ..; max=4")
    assert first.status == 206
    assert [r["version"] for r in api.get(path, Range=first.headers["Next-Range"])] == [5, 6]
    for wrong in ("colour ..", "version", "version ..; max=0", "version ..; max=x", "version a.."):
        assert api.ask("GET", path, Range=wrong).status == 416


def test_a_source_is_put_without_a_key_and_only_where_it_was_promised(api: Client) -> None:
    blob = api.post("/sources")["source_blob"]
    assert requests.get(blob["get_url"], timeout=60).status_code == 404
    assert requests.put(blob["put_url"], data=small_app(), timeout=60).status_code == 200
    assert requests.get(blob["get_url"], timeout=60).content == small_app()
    for url in (
        blob["get_url"],  # is for GET
        blob["put_url"].replace("signature=", "signature=0"),
        blob["put_url"].partition("?")[0],
        blob["put_url"].replace("expires=", "expires=9"),
    ):
        assert requests.put(url, data=b"other", timeout=60).status_code == 403
    assert requests.get(blob["get_url"], timeout=60).content == small_app()


def test_an_upload_that_is_cut_or_empty_leaves_what_was_there(api: Client) -> None:
    blob = api.post("/sources")["source_blob"]
    requests.put(blob["put_url"], data=b"whole", timeout=60)
    address = urlsplit(blob["put_url"])
    with socket.create_connection((address.hostname or "", address.port or 0)) as line:
        head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        line.sendall(head.encode() + b"half")
        line.shutdown(socket.SHUT_WR)
        while line.recv(1000):  # until the platform has done with it
            pass
    assert requests.put(blob["put_url"], data=b"", timeout=60).status_code == 400
    assert requests.get(blob["get_url"], timeout=60).content == b"whole"


def test_a_source_over_100_mb_is_refused_before_it_is_read(api: Client) -> None:
    address = urlsplit(api.post("/sources")["source_blob"]["put_url"])
    with socket.create_connection((address.hostname or "", address.port or 0)) as line:
        size = 100 * 1024 * 1024 + 1
        head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        line.sendall(head.encode())
        assert b" 413 " in line.recv(100)


def test_a_build_of_a_stranger_s_source_is_refused(api: Client) -> None:
    api.create("stranger-app")
    for url in (
        None,
        "",
        "http://127.0.0.1:1/a.tgz",
        f"{api.url}/sources/../lock",
        f"{api.url}/_health",
    ):
        body = {"source_blob": {"url": url}}
        answer = api.ask("POST", "/apps/stranger-app/builds", body, hold=False)
        assert (answer.status, answer.body["id"]) == (422, "invalid_params")
    assert api.get("/apps/stranger-app/builds") == []


def test_the_web_dyno_is_scaled_and_restarted(api: Client) -> None:
    api.create("scaled-app")
    assert api.get("/apps/scaled-app/formation") == []
    assert api.ask("PATCH", "/apps/scaled-app/formation/web", {"quantity": 1}).status == 404
    api.deploy("scaled-app", small_app())

    def states() -> list[str]:
        return [dyno["state"] for dyno in api.get("/apps/scaled-app/dynos")]

    until(lambda: states() == ["up"], "the dyno is up")
    dyno = api.get("/apps/scaled-app/dynos/web.1")
    assert dyno == api.get(f"/apps/scaled-app/dynos/{dyno['id']}")
    assert (dyno["size"], dyno["command"]) == ("Basic", "exec python3 server.py")
    assert api.ask("GET", "/apps/scaled-app/dynos/web.2").status == 404

    web = api.patch("/apps/scaled-app/formation/web", {"quantity": 0})
    assert (web["type"], web["quantity"], web["size"]) == ("web", 0, "Basic")
    until(lambda: states() == [], "the dyno has stopped")
    assert requests.get(api.get("/apps/scaled-app")["web_url"], timeout=60).status_code == 503
    update = {
        "updates": [{"type": "web", "quantity": "1", "size": "basic"}]
    }  # Heroku's CLI does so
    answer = api.ask("PATCH", "/apps/scaled-app/formation", update, hold=False)
    assert answer.body[0]["quantity"] == 1
    update = {"updates": [{"type": "web", "quantity": 1, "dyno_size": {"name": "basic"}}]}
    assert api.patch("/apps/scaled-app/formation", update)[0]["quantity"] == 1
    assert requests.get(api.get("/apps/scaled-app")["web_url"], timeout=60).ok
    for wrong in (
        {"quantity": 2},
        {"quantity": -1},
        {"quantity": "many"},
        {"dyno_size": {"name": "Private-L"}},
    ):
        answer = api.ask("PATCH", "/apps/scaled-app/formation/web", wrong, hold=False)
        assert (answer.status, answer.body["id"]) == (422, "invalid_params")

    begun = len([line for line in api.log("scaled-app") if "the app begins" in line])
    assert api.ask("DELETE", "/apps/scaled-app/dynos/web.1").status == 202
    assert api.ask("DELETE", "/apps/scaled-app/dynos/web.7").status == 404
    again = begun + 1
    until(
        lambda: len([line for line in api.log("scaled-app") if "the app begins" in line]) == again,
        "the dyno has started again",
    )
    assert api.ask("DELETE", "/apps/scaled-app/dynos").status == 202
    assert requests.get(api.get("/apps/scaled-app")["web_url"], timeout=60).ok


def test_a_deleted_app_is_gone_with_its_port(api: Client) -> None:
    url = api.create("gone-app")["web_url"]
    api.deploy("gone-app", small_app())
    assert requests.get(url, timeout=60).ok
    api.ask("DELETE", "/apps/gone-app")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
    assert api.create("gone-app")["released_at"]
    assert api.get("/apps/gone-app/builds") == []
