"""Images: what a tarball becomes without Docker, and what it is refused for."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from small_images import DOCKERFILE, HEROKU_YML, member, source, write_tarball
from small_index import Index, small_index

from tutorial.heroku import images
from tutorial.heroku.dockerfile import split
from tutorial.heroku.images import BuildError, Image, build, load, mark_live

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


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


def after(*lines: str) -> str:
    """A Dockerfile with a base, these lines from line 2 on, and a command."""
    return "\n".join(["FROM python:3.13-slim", *lines, "CMD python server.py", ""])


def app(image: Image) -> list[str]:
    """The names of all files in the image's /app."""
    root = image.root / "app"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_a_dockerfile_becomes_an_image(builder: Builder) -> None:
    image = builder(
        """\
# What is built
ARG BASE=python:3.13-slim
FROM ${BASE}
ENV ONE=1 TWO="a b" \\
    THREE=$HOME_NOT_SET-${MISSING:-else}
ENV FOUR the rest of the line
RUN useradd --create-home app && groupadd staff
WORKDIR /srv
WORKDIR app
COPY --chown=app:app . ./
LABEL who="me"
EXPOSE 8501
HEALTHCHECK CMD true
USER app
CMD exec python server.py --port ${PORT:-8501}
"""
    )
    assert image.workdir == "/srv/app"
    assert image.environment == {
        "ONE": "1",
        "TWO": "a b",
        "THREE": "-else",
        "FOUR": "the rest of the line",
    }
    assert image.command == "exec python server.py --port ${PORT:-8501}"
    assert image.release_command is None
    assert (image.root / "srv/app/server.py").is_file()
    said = "\n".join(builder.said)
    assert "Step 2/13 : FROM ${BASE}" in said
    assert re.search(r"this machine's Python 3\.\d+\.\d+ stands in for python:3.13-slim", said)
    assert "Noted, not run: useradd --create-home app" in said
    assert "dynos run as you" in said
    assert builder.said[-1] == f"Successfully built {image.id[:12]}"


def test_the_same_source_is_the_same_image_from_the_cache(builder: Builder) -> None:
    first = builder()
    assert "Using cache" not in "\n".join(builder.said)
    second = builder()
    assert second == first
    assert builder.said.count(" ---> Using cache") == 4
    # Another file: steps before COPY come from the cache, those after it do not
    third = builder(files={"other.txt": "new"})
    assert third.id != first.id
    assert builder.said.count(" ---> Using cache") == 2


def test_an_image_is_found_again(builder: Builder) -> None:
    image = builder()
    assert load(builder.folder, image.id) == image
    for gone in ("0" * 64, "../images", ""):
        with pytest.raises(BuildError, match="deploy again"):
            load(builder.folder, gone)


def test_heroku_yml_says_what_runs(builder: Builder) -> None:
    yml = HEROKU_YML + "release:\n  image: web\n  command:\n    - python -m app.verify\n"
    assert builder(files={"heroku.yml": yml}).release_command == "python -m app.verify"
    yml = HEROKU_YML + "run:\n  web: python other.py $PORT\n"
    assert builder(files={"heroku.yml": yml}).command == "python other.py $PORT"
    yml = "build:\n  docker:\n    web: sub/Dockerfile\n  config:\n    KIND: other\n"
    image = builder(
        files={
            "heroku.yml": yml,
            "sub/Dockerfile": "FROM x\nARG KIND=plain\nENV KIND=$KIND\nWORKDIR /app\nCOPY . .\nCMD true\n",
            "sub/here": "1",
        },
    )
    assert image.environment == {"KIND": "other"}
    assert app(image) == ["Dockerfile", "here"]


@pytest.mark.parametrize(
    ("yml", "problem"),
    [
        ("", "heroku.yml is not a mapping"),
        ("build: [", "heroku.yml line 1 is not YAML"),
        ("build:\n  docker:\n\tweb: x\n", "heroku.yml line 3 is not YAML"),
        ("build: {}\n", "build.docker is not a mapping"),
        ("build:\n  docker: {}\n", "build.docker.web is missing"),
        ("build:\n  docker:\n    worker: Dockerfile\n", "build.docker.worker is not known"),
        ("build:\n  docker:\n    web: Nofile\n", "names Nofile: no such file"),
        ("build:\n  docker:\n    web: ../Dockerfile\n", "no such file"),
        ("build:\n  docker:\n    web: true\n", "build.docker.web is not a text"),
        (HEROKU_YML + "relase: x\n", "relase is not known"),
        (HEROKU_YML + "release: python x\n", "release is not a mapping"),
        (HEROKU_YML + "release:\n  image: web\n", "release.command is missing"),
        (HEROKU_YML + "release:\n  command: [a, b]\n", "release.command is a list of 2"),
        (HEROKU_YML + "run:\n  web:\n    image: worker\n", "run.web.image is not web"),
        (HEROKU_YML + "run:\n  web: ''\n", "run.web is empty"),
    ],
)
def test_a_malformed_heroku_yml_is_refused_by_line_or_key(
    builder: Builder, yml: str, problem: str
) -> None:
    sentence = builder.fails(files={"heroku.yml": yml})
    assert sentence.startswith("heroku.yml")
    assert problem in sentence


def test_without_heroku_yml_nothing_is_built(builder: Builder, tmp_path: Path) -> None:
    tarball = write_tarball(tmp_path / "a.tar.gz", member("Dockerfile", b"FROM x\n"))
    with pytest.raises(BuildError, match=r"no heroku\.yml"):
        build(tarball, builder.folder, print)
    tarball.write_bytes(b"nothing")
    with pytest.raises(BuildError, match="cut off"):
        build(tarball, builder.folder, print)


@pytest.mark.parametrize(
    ("dockerfile", "line", "problem"),
    [
        (after("ADD . ."), 2, "does not support the instruction ADD"),
        (after("VOLUME /x"), 2, "does not support the instruction VOLUME"),
        (after('ENTRYPOINT ["python"]'), 2, "does not support the instruction ENTRYPOINT"),
        (after("COPPY . ."), 2, "does not support the instruction COPPY"),
        (after("FROM other"), 2, "does not support a second FROM"),
        (after("DONE x"), 2, "does not support the instruction DONE"),
        (after("", "RUN apt-get install curl"), 3, "does not support RUN apt-get"),
        (after("RUN pip install flask"), 2, "name packages in a file"),
        (after("RUN pip install --target=x -r r"), 2, "does not support pip install --target=x"),
        (after("RUN useradd app && rm -r /"), 2, "does not support RUN rm -r /"),
        (after("RUN useradd app; rm -r /"), 2, "more of a shell than &&"),
        (after("RUN pip install -r <(curl x)"), 2, "more of a shell than &&"),
        (after("RUN pip install"), 2, "names no file"),
        (after("RUN pip install -r no.txt"), 2, "no requirements file 'no.txt'"),
        (after("RUN pip install -r ../../../etc/passwd"), 2, "no requirements file"),
        (after("COPY nothing ."), 2, "COPY failed: there is no 'nothing' in the tarball"),
        (after("COPY . .", "COPY ../secret ."), 3, "lies outside"),
        (after("COPY server.py Dockerfile here"), 2, "several sources"),
        (after("COPY --from=other a b"), 2, "does not support COPY --from"),
        (after("COPY ."), 2, "sources and a destination"),
        (after("WORKDIR ../.."), 2, "WORKDIR with .."),
        (after("ENV lonely"), 2, "ENV has no ="),
        (after("ENV A=1 lonely"), 2, "ENV has no ="),
        (after('ENV A="1'), 2, "a quote"),
        (after("COPY"), 2, "COPY has no value"),
        ("COPY . .\nFROM x\n", 1, "comes before FROM"),
        ("FROM\n", 1, "FROM has no value"),
    ],
)
def test_what_the_laptop_cannot_do_is_refused_by_line(
    builder: Builder, dockerfile: str, line: int, problem: str
) -> None:
    sentence = builder.fails(dockerfile)
    assert sentence.startswith(f"Dockerfile line {line}: ")
    assert problem in sentence


@pytest.mark.parametrize(
    ("dockerfile", "problem"),
    [
        ("# nothing\n", "has no FROM"),
        ("FROM x\n", "has no CMD"),
        ("FROM x\nCMD python \\\n", "line 2"),
    ],
)
def test_a_dockerfile_that_is_no_whole_is_refused(
    builder: Builder, dockerfile: str, problem: str
) -> None:
    assert problem in builder.fails(dockerfile)


def test_copy_copies_as_docker_does(builder: Builder) -> None:
    image = builder(
        after(
            "WORKDIR /app",
            "COPY one.txt renamed.txt",
            "COPY one.txt two.txt texts/",
            "COPY package package",
            "COPY package/inner deep/er/",
            'COPY ["with space.txt", "./"]',
            "COPY *.cfg conf/",
            "COPY one.txt /abs/file",
        ),
        {
            "one.txt": "1",
            "two.txt": "2",
            "package/code.py": "",
            "package/inner/x": "",
            "with space.txt": "",
            "a.cfg": "",
            "b.cfg": "",
        },
    )
    assert app(image) == [
        "conf/a.cfg",
        "conf/b.cfg",
        "deep/er/x",
        "package/code.py",
        "package/inner/x",
        "renamed.txt",
        "texts/one.txt",
        "texts/two.txt",
        "with space.txt",
    ]
    assert (image.root / "abs/file").read_text() == "1"


def test_what_dockerignore_leaves_out_is_not_there(builder: Builder) -> None:
    files = {
        ".dockerignore": "# an allow list\n*\n!app/\n**/.env*\n**/__pycache__/\n",
        "app/main.py": "",
        "app/.env": "SECRET",
        "app/__pycache__/x.pyc": "",
        "data/test.csv": "",
    }
    assert app(builder(after("WORKDIR /app", "COPY . ."), files)) == ["app/main.py"]
    sentence = builder.fails(after("WORKDIR /app", "COPY data ."), files)
    assert "there is no 'data' in the tarball, or .dockerignore leaves it out" in sentence


def test_a_link_is_copied_unless_it_would_lead_out(builder: Builder, tmp_path: Path) -> None:
    def members(dockerfile: str) -> Path:
        return write_tarball(
            tmp_path / "a.tar.gz",
            member("heroku.yml", HEROKU_YML.encode()),
            member("Dockerfile", dockerfile.encode()),
            member("top", b"top"),
            member("a/b/up", type=b"2", linkname="../../top"),
        )

    image = build(members(after("COPY . /app")), builder.folder, print)
    assert (image.root / "app/a/b/up").read_bytes() == b"top"
    with pytest.raises(BuildError, match="line 2: COPY failed: the link 'up' would lead out"):
        build(members(after("COPY a/b /")), builder.folder, print)


def test_exec_form_keeps_a_shell_from_replacing_anything(builder: Builder) -> None:
    image = builder('FROM x\nCMD ["python", "-c", "print(\'$PORT\')"]\n')
    done = subprocess.run(
        ["sh", "-c", image.command.replace("python", "echo")], capture_output=True
    )
    assert done.stdout.decode() == "-c print('$PORT')\n"


def test_words_are_split_as_docker_splits_them() -> None:
    known = {"A": "x y", "EMPTY": ""}
    assert split("""one "two three" '$A' $A ${A}z \\$A""", known) == [
        "one",
        "two three",
        "$A",
        "x y",
        "x yz",
        "$A",
    ]
    assert split("${NO:-d} ${EMPTY:-d} ${EMPTY-d}. ${A:+set} ${NO:+set}.", known) == [
        "d",
        "d",
        ".",
        "set",
        ".",
    ]


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
