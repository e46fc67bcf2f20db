"""Which shim stands in for which action."""

from collections.abc import Callable

from tutorial.github import app_token, artifacts, kept_files, shims
from tutorial.github.shims import Call

SHIMS: dict[str, Callable[[Call], None]] = {
    "actions/checkout": shims.checkout,
    "actions/setup-python": shims.setup_python,
    "astral-sh/setup-uv": shims.setup_uv,
    "actions/cache": kept_files.cache,
    "actions/upload-artifact": artifacts.upload,
    "actions/download-artifact": artifacts.download,
    "actions/create-github-app-token": app_token.create,
}
