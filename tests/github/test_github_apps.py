"""Apps and tokens: who proves what, for how long, and what a token may not do."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from rehearsal import Rehearsal
from rest_client import REPO, Client, serving

from tutorial.errors import TutorialError
from tutorial.github import apps, tokens
from tutorial.github.apps import App, register, sign
from tutorial.github.store import Store

PERMISSIONS = {"contents": "read", "pull_requests": "write"}


class Served:
    """A local GitHub that answers, with two Apps."""

    def __init__(self, state: Path, url: str) -> None:
        self.state, self.url = state, url
        self.store = Store(state)
        self.app = register(self.store, "Model reports", PERMISSIONS)
        self.other = register(self.store, "Other", {"issues": "write"})

    def client(self, token: str = "") -> Client:
        return Client(self.url, token)

    def proved(self, app: App) -> Client:
        return self.client(sign(app.client_id, app.private_key))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("github") / "state"
    made = Rehearsal(state, state.parent / "reader")
    made.commit({"a.txt": "1"})
    made.receive()
    made.close()
    with serving(state) as url:
        yield Served(state, url)


def claims(app: App, **changed: object) -> str:
    now = int(time.time())
    said = {"iat": now - 60, "exp": now + 540, "iss": app.client_id, **changed}
    # Below jwt.encode, which refuses to write some of it
    return jwt.PyJWS().encode(json.dumps(said).encode(), app.private_key, algorithm="RS256")


def test_an_app_proves_itself_and_gets_a_narrow_token_for_an_hour(served: Served) -> None:
    client = served.proved(served.app)
    assert client.get("/app")["slug"] == "model-reports"
    installation = client.get(f"{REPO}/installation")
    assert installation["permissions"] == {"metadata": "read", **PERMISSIONS}
    path = f"/app/installations/{installation['id']}/access_tokens"
    asked = {"repositories": ["workspace"], "permissions": {"pull_requests": "write"}}
    made = client.ask("POST", path, asked)
    assert made.status == 201
    assert made.body["permissions"] == {"metadata": "read", "pull_requests": "write"}
    said = time.strptime(made.body["expires_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert 3500 < time.mktime(said) - time.mktime(time.gmtime()) <= 3600
    token = served.client(made.body["token"])
    assert token.get(f"{REPO}/pulls") == []
    assert token.ask("GET", f"{REPO}/git/ref/heads/main").status == 403
    assert token.ask("DELETE", "/installation/token").status == 204
    said_after = token.ask("GET", f"{REPO}/pulls")
    assert (said_after.status, said_after.body["message"]) == (401, "Bad credentials")
    # All that the App may, where nothing is asked for
    whole = client.ask("POST", path).body
    assert whole["permissions"] == {"metadata": "read", **PERMISSIONS}
    # An issuer by number, as older programs have it
    number = client.get("/app")["id"]
    for issuer in (number, str(number)):
        assert served.client(claims(served.app, iss=issuer)).get("/app")["id"] == number


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"exp": int(time.time()) - 10}, "'exp') must be a numeric value representing the future"),
        ({"exp": int(time.time()) + 3600}, "'exp') is too far in the future"),
        ({"exp": "soon"}, "'exp') must be a numeric value"),
        ({"iat": int(time.time()) + 3600}, "'iat') must be an Integer"),
        ({"iat": None}, "'iat') must be an Integer"),
        ({"iss": "Iv23nobody"}, "Integration not found"),
        ({"iss": "²"}, "Integration not found"),
        ({"iss": 5}, "Integration not found"),
    ],
)
def test_a_proof_with_wrong_claims_is_refused_in_githubs_words(
    served: Served, changed: dict[str, object], words: str
) -> None:
    said = served.client(claims(served.app, **changed)).ask("GET", "/app")
    assert said.status == 401
    assert words in said.body["message"]


def part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_a_forged_proof_is_refused(served: Served) -> None:
    now = int(time.time())
    said = {"iat": now - 60, "exp": now + 540, "iss": served.app.client_id}
    public = served.store.rows("SELECT public_key FROM apps ORDER BY id")[0]["public_key"]
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(said)}"
    mac = hmac.digest(public.encode(), signed.encode(), "sha256")
    forged = [
        "",
        "no.jwt.atall",
        "ghs_" + "x" * 36,
        # Signed by another's key, by none, and by the public key as if it were a password
        jwt.encode(said, served.other.private_key, algorithm="RS256"),
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(said)}.",
        f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}",
    ]
    for token in forged:
        answer = served.client(token).ask("GET", "/app")
        assert answer.status == 401, token
        assert answer.body["message"] == "A JSON web token could not be decoded"


def test_an_app_has_no_business_with_anothers_installation_or_permissions(served: Served) -> None:
    theirs = served.proved(served.other).get(f"{REPO}/installation")["id"]
    client = served.proved(served.app)
    assert client.ask("POST", f"/app/installations/{theirs}/access_tokens").status == 404
    mine = f"/app/installations/{client.get(f'{REPO}/installation')['id']}/access_tokens"
    for asked in (
        {"permissions": {"contents": "write"}},
        {"permissions": {"administration": "read"}},
        {"permissions": {"pull_requests": "admin"}},
        {"repositories": ["elsewhere"]},
    ):
        assert client.ask("POST", mine, asked).status == 422, asked
    # The proof is no token, and a token no proof
    assert client.ask("GET", f"{REPO}/pulls").status == 401
    token = client.ask("POST", mine).body["token"]
    assert served.client(token).ask("GET", "/app").status == 401
    assert served.client().ask("GET", "/app").status == 401


def test_an_expired_token_is_no_credential(served: Served) -> None:
    token, _ = tokens.issue(served.store, "app", "model-reports", PERMISSIONS, seconds=-1)
    said = served.client(token).ask("GET", f"{REPO}/pulls")
    assert (said.status, said.body["message"]) == (401, "Bad credentials")


def test_without_a_token_nothing_is_told_and_nothing_done(served: Served) -> None:
    assert served.client().ask("GET", f"{REPO}/pulls").status == 404
    said = served.client().ask("POST", f"{REPO}/issues/1/comments", {"body": "x"})
    assert (said.status, said.body["message"]) == (401, "Requires authentication")


def test_no_token_and_no_key_is_in_any_file(served: Served) -> None:
    token, _ = tokens.issue(served.store, "app", "model-reports", PERMISSIONS)
    assert served.client(token).get(f"{REPO}/pulls") == []
    secret = [token, served.app.private_key.splitlines()[3]]
    for path in served.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [one for one in secret if one.encode() in content], path


@pytest.mark.parametrize(
    ("name", "permissions", "words"),
    [
        ("", {}, "is no name of an App"),
        ("x" * 35, {}, "is no name of an App"),
        ("Fine", {"everything": "write"}, "has no permission everything"),
        ("Fine", {"contents": "admin"}, "has no permission contents: admin"),
        ("model  reports", {}, "There is an App model  reports already"),
    ],
)
def test_what_is_no_app(served: Served, name: str, permissions: dict[str, str], words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        register(served.store, name, permissions)


def test_a_key_that_is_none_is_told(served: Served) -> None:
    with pytest.raises(ValueError, match="no RSA key in PEM"):
        sign(served.app.client_id, "-----BEGIN NOTHING-----")
    assert apps.LONGEST == 600
