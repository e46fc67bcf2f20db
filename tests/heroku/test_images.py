"""Images: their packages, how they are kept and found again, and which are let go."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from builder import Builder, after
from small_index import Index, small_index

from tutorial.heroku import images
from tutorial.heroku.images import BuildError, Image, load, mark_live


def test_an_image_is_found_again(builder: Builder) -> None:
    image = builder()
    assert load(builder.folder, image.id) == image
    for gone in ("0" * 64, "../images", ""):
        with pytest.raises(BuildError, match="deploy again"):
            load(builder.folder, gone)


# --- packages


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """A package index of the test's own with one package, and a cache that knows nothing of it."""
    with small_index(tmp_path / "wheels") as index:
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.delenv("UV_FIND_LINKS", raising=False)
        yield index


WITH_PACKAGES = after(
    "COPY requirements.txt .", "RUN pip install --no-cache-dir -r requirements.txt"
)


def runs(image: Image, code: str) -> str:
    assert image.packages
    done = subprocess.run(
        [image.packages / "bin" / "python", "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_packages_are_downloaded_once_and_then_come_from_this_machine(
    builder: Builder, index: Index, tmp_path: Path
) -> None:
    index.add("smallthing", "1.0")
    image = builder(WITH_PACKAGES, {"requirements.txt": "smallthing==1.0\n"})
    assert any("downloading" in line for line in builder.said)
    assert runs(image, "import smallthing; print(smallthing.VERSION)") == "1.0"
    # Another image with the same requirements shares the layer
    other = builder(
        WITH_PACKAGES.replace("FROM", "# other\nFROM"), {"requirements.txt": "smallthing==1.0\n"}
    )
    assert other.packages == image.packages
    # A platform of another home, with no network: the cache does
    index.asked.clear()
    elsewhere = Builder(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    image = elsewhere(WITH_PACKAGES, {"requirements.txt": "smallthing==1.0\n"})
    assert runs(image, "import smallthing") == ""
    assert not any("downloading" in line for line in elsewhere.said)
    assert index.asked == []


def test_packages_that_cannot_be_had_are_named(builder: Builder, index: Index) -> None:
    sentence = builder.fails(WITH_PACKAGES, {"requirements.txt": "nothing-of-that-name==1.0\n"})
    assert sentence.startswith("Dockerfile line 3: The packages cannot be installed: ")
    assert "nothing-of-that-name" in sentence
    assert list((builder.folder / "layers").glob("[!.]*")) == []
    assert list((builder.folder / "layers").glob(".*")) == []


def test_requirements_that_name_other_files_are_refused(builder: Builder) -> None:
    for line in ("-r other.txt", "-e .", "./here", "thing @ file:///x"):
        sentence = builder.fails(WITH_PACKAGES, {"requirements.txt": f"{line}\n"})
        assert "supports packages by name" in sentence


def test_an_image_has_its_own_python_and_none_of_the_platforms_packages(builder: Builder) -> None:
    code = "import importlib.util as u; print(u.find_spec('aiohttp'), u.find_spec('tutorial'))"
    assert runs(builder(), code) == "None None"


# --- keeping


def test_the_last_ten_builds_are_kept_and_what_a_dyno_runs(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "KEPT", 2)
    (tmp_path / "dyno").mkdir()
    made = [builder(files={"n.txt": str(number)}) for number in range(2)]
    mark_live(made[0], tmp_path / "dyno")
    made += [builder(files={"n.txt": str(number)}) for number in range(2, 5)]

    def kept() -> list[int]:
        return [at for at, image in enumerate(made) if image.root.exists()]

    assert kept() == [0, 3, 4]
    # Once the dyno runs another one, or is gone, the next build lets it go
    mark_live(made[3], tmp_path / "dyno")
    made.append(builder(files={"n.txt": "5"}))
    assert kept() == [3, 4, 5]
    made.append(builder(files={"n.txt": "6"}))
    assert kept() == [3, 5, 6]
    (tmp_path / "dyno").rmdir()
    made.append(builder(files={"n.txt": "7"}))
    assert kept() == [6, 7]
    # Built again, an old one is among the latest
    builder(files={"n.txt": "6"})
    made.append(builder(files={"n.txt": "8"}))
    assert kept() == [6, 8]


def test_a_layer_goes_with_the_last_image_that_uses_it(
    builder: Builder, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "KEPT", 1)
    index.add("smallthing", "1.0")
    with_packages = builder(WITH_PACKAGES, {"requirements.txt": "smallthing==1.0\n"})
    assert with_packages.packages
    assert with_packages.packages.is_dir()
    builder()
    assert not with_packages.packages.exists()


def test_a_build_that_was_killed_leaves_nothing_in_the_way(builder: Builder) -> None:
    image = builder()
    for half in ("part/source", "part/image/root", f"layers/.{'0' * 32}.part"):
        (builder.folder / half).mkdir(parents=True)
    manifest = image.root.parent / "manifest.json"
    manifest.write_text("{", encoding="utf-8")  # as a power cut may leave it
    with pytest.raises(BuildError, match="gone"):
        load(builder.folder, image.id)
    assert builder().id == image.id
    assert json.loads(manifest.read_text())["workdir"] == "/app"
    assert sorted(path.name for path in builder.folder.iterdir()) == sorted([image.id, "layers"])
