"""What stands in for `actions/create-github-app-token`: a token of an App, until the job ends."""

from collections.abc import Callable

from tutorial.github import apps
from tutorial.github.people import PERMISSIONS
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import NAME, OWNER
from tutorial.github.shims import ActionError, Call
from tutorial.github.tokens import revoke


def create(call: Call) -> None:
    """Prove the App by its key and get a token with the permissions that are asked for."""
    identity = (call.inputs.get("client-id") or call.inputs.get("app-id") or "").strip()
    if not identity:
        raise ActionError("`client-id` has to be set to a non-empty text.")
    key = call.inputs["private-key"].replace("\\n", "\n")
    if not key.strip():
        raise ActionError("`private-key` has to be set to a non-empty text.")
    owner = call.inputs.get("owner", "").strip() or OWNER
    names = [word for word in call.inputs.get("repositories", "").replace(",", " ").split() if word]
    asked = {
        name: call.inputs[f"permission-{name.replace('_', '-')}"].strip()
        for name in PERMISSIONS
        if call.inputs.get(f"permission-{name.replace('_', '-')}", "").strip()
    }
    if owner != OWNER:
        raise ActionError(f"The App is not installed for {owner}.")
    try:
        app = apps.authenticate(call.store, apps.sign(identity, key))
        installation = apps.INSTALLATION + app["id"]
        made = apps.installation_token(
            call.store,
            app,
            installation,
            asked,
            [name.rpartition("/")[2] for name in names or [NAME]],
        )
    except (RefusalError, ValueError) as error:
        raise ActionError(f"No token is to be had: {error}.") from None
    token = str(made["token"])
    call.mask(token)
    call.outputs.update(
        {"token": token, "installation-id": str(installation), "app-slug": app["slug"]}
    )
    may = ", ".join(f"{name}: {level}" for name, level in made["permissions"].items())
    call.say(
        f"The App {app['slug']} has a token for an hour, or until the job ends. It may: {may}."
    )

    def end(well: bool, say: Callable[[str], None]) -> None:
        revoke(call.store, token)
        say("The token is revoked.")

    if not call.flag("skip-token-revoke", False):
        call.afterwards = end
