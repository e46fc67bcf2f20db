"""What a Dockerfile and a `heroku.yml` become without Docker, and what they are refused for."""

import re
import subprocess
from pathlib import Path

import pytest
from builder import Builder, after
from small_images import HEROKU_YML, member, write_tarball

from tutorial.heroku.dockerfile import split
from tutorial.heroku.images import BuildError, Image, build


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
