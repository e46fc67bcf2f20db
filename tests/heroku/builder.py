"""Builds sources into images, and keeps what the builds said."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from small_images import DOCKERFILE, source

from tutorial.heroku.images import BuildError, Image, build

NO_FILES: Mapping[str, str] = {}


class Builder:
    """Builds sources into one folder and keeps what the builds said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "images"
        self.tarball = folder / "source.tar.gz"
        self.said: list[str] = []

    def __call__(self, dockerfile: str = DOCKERFILE, files: Mapping[str, str] = NO_FILES) -> Image:
        """Build this Dockerfile with these files beside it."""
        self.said.clear()
        return build(
            source(self.tarball, {"Dockerfile": dockerfile, **files}),
            self.folder,
            self.said.append,
        )

    def fails(self, dockerfile: str = DOCKERFILE, files: Mapping[str, str] = NO_FILES) -> str:
        """Build what cannot be; return the sentence, having seen that nothing is left of it."""
        before = sorted(self.folder.rglob("*")) if self.folder.exists() else []
        with pytest.raises(BuildError) as refused:
            self(dockerfile, files)
        left = {path for path in self.folder.iterdir() if path.name != "layers"}
        assert left == {path for path in before if path.parent == self.folder} - {
            self.folder / "layers"
        }
        sentence = str(refused.value)
        assert "\n" not in sentence
        assert sentence.endswith(".")
        return sentence


def after(*lines: str) -> str:
    """A Dockerfile with a base, these lines from line 2 on, and a command."""
    return "\n".join(["FROM python:3.13-slim", *lines, "CMD python server.py", ""])
