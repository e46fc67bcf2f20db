"""The API of sources, builds, slugs and releases, and the streams of what they print."""

import contextlib
import os
from pathlib import Path

from aiohttp import ClientPayloadError, web

from tutorial.heroku import forms
from tutorial.heroku.errors import ApiError, bad_request, invalid, not_found
from tutorial.heroku.parameters import app_of, body_of, platform_of, text_in
from tutorial.heroku.platform import SOURCE_SECONDS
from tutorial.heroku.ranges import part
from tutorial.heroku.records import App, Release, new_id

LARGEST = 100 * 1024 * 1024  # bytes of a source


# --- sources


async def create_source(request: web.Request) -> web.Response:
    """POST /sources, and POST /apps/{app}/sources"""
    if "app" in request.match_info:
        app_of(request)
    platform = platform_of(request)
    path = f"/sources/{platform.create_source()}"
    blob = {
        "get_url": platform.signer.url(path, SOURCE_SECONDS),
        "put_url": platform.signer.url(path, SOURCE_SECONDS, method="PUT"),
    }
    return web.json_response({"source_blob": blob}, status=201)


async def put_source(request: web.Request) -> web.Response:
    """PUT to a source's `put_url`: the whole tarball is there, or what was there before."""
    platform = platform_of(request)
    platform.signer.check(request)
    if (request.content_length or 0) > LARGEST:
        raise too_large()
    tarball = platform.tarball(request.match_info["source"])
    upload = tarball.with_name(f".{tarball.name}.{new_id()}")
    try:
        await receive(request, upload)
        upload.replace(tarball)
    finally:
        upload.unlink(missing_ok=True)
    return web.Response()


async def receive(request: web.Request, upload: Path) -> None:
    """Write what is sent to a new file, and to the disk. Raises `ApiError` if it is cut or too large."""
    size = 0
    upload.touch(mode=0o600)
    with upload.open("wb") as file:
        try:
            async for chunk in request.content.iter_chunked(1 << 16):
                size += len(chunk)
                if size > LARGEST:
                    raise too_large()
                file.write(chunk)
        except (ClientPayloadError, ConnectionError):
            raise bad_request("The upload was cut: PUT it again.") from None
        except OSError as error:  # the disk is full
            why = f"The source cannot be written: {error.strerror}."
            raise ApiError(507, "insufficient_storage", why) from None
        if size == 0:
            raise bad_request("The upload is empty: PUT a tarball.")
        file.flush()
        os.fsync(file.fileno())


async def get_source(request: web.Request) -> web.StreamResponse:
    """GET a source's `get_url`"""
    platform = platform_of(request)
    platform.signer.check(request)
    tarball = platform.tarball(request.match_info["source"])
    if not tarball.is_file():
        raise not_found("source")
    return web.FileResponse(tarball, headers={"Content-Type": "application/gzip"})


def too_large() -> ApiError:
    """The error for a source over the limit."""
    return ApiError(
        413, "bad_request", "The source is larger than 100 MB: leave out what is not deployed."
    )


# --- builds


async def create_build(request: web.Request) -> web.Response:
    """POST /apps/{app}/builds"""
    platform, app, body = platform_of(request), app_of(request), await body_of(request)
    blob = body.get("source_blob")
    if not isinstance(blob, dict):
        raise invalid("Parameter source_blob is required, an object.")
    words = {
        name: text_in(blob, name, "source_blob.")
        for name in ("url", "checksum", "version", "version_description")
    }
    build = platform.build(
        app,
        words["url"] or "",
        words["checksum"],
        words["version"],
        words["version_description"],
    )
    return web.json_response(forms.of_build(platform, app, build), status=201)


async def list_builds(request: web.Request) -> web.Response:
    """GET /apps/{app}/builds"""
    platform, app = platform_of(request), app_of(request)
    found = [forms.of_build(platform, app, build) for build in platform.store.builds(app.id)]
    return part(request, found, ("created_at", "id"))


async def show_build(request: web.Request) -> web.Response:
    """GET /apps/{app}/builds/{build}"""
    platform, app = platform_of(request), app_of(request)
    build = platform.store.build(app.id, request.match_info["build"])
    if build is None:
        raise not_found("build")
    return web.json_response(forms.of_build(platform, app, build))


async def show_slug(request: web.Request) -> web.Response:
    """GET /apps/{app}/slugs/{slug}"""
    platform, app = platform_of(request), app_of(request)
    slug = platform.store.slug(request.match_info["slug"])
    if slug is None or slug.app_id != app.id:
        raise not_found("slug")
    return web.json_response(forms.of_slug(platform, app, slug))


# --- releases


async def create_release(request: web.Request) -> web.Response:
    """POST /apps/{app}/releases: go back to a release, or release a slug."""
    platform, app, body = platform_of(request), app_of(request), await body_of(request)
    if identity := text_in(body, "release"):
        made = platform.roll_back(app, release_of(request, app, identity))
    elif slug := text_in(body, "slug"):
        made = platform.release_slug(app, slug, text_in(body, "description"))
    else:
        raise invalid("Parameter release or slug is required.")
    current = platform.store.current_release(app.id)
    return web.json_response(forms.of_release(platform, app, made, current), status=201)


async def list_releases(request: web.Request) -> web.Response:
    """GET /apps/{app}/releases"""
    platform, app = platform_of(request), app_of(request)
    current = platform.store.current_release(app.id)
    found = [
        forms.of_release(platform, app, release, current)
        for release in platform.store.releases(app.id)
    ]
    return part(request, found, ("version", "id"))


async def show_release(request: web.Request) -> web.Response:
    """GET /apps/{app}/releases/{release}"""
    platform, app = platform_of(request), app_of(request)
    release = release_of(request, app, request.match_info["release"])
    current = platform.store.current_release(app.id)
    return web.json_response(forms.of_release(platform, app, release, current))


async def show_release_config(request: web.Request) -> web.Response:
    """GET /apps/{app}/releases/{release}/config-vars"""
    release = release_of(request, app_of(request), request.match_info["release"])
    return web.json_response(dict(release.config))


def release_of(request: web.Request, app: App, identity: str) -> Release:
    """Return the app's release of that id or version."""
    release = platform_of(request).store.release(app.id, identity)
    if release is None:
        raise not_found("release")
    return release


# --- what they print


async def stream(request: web.Request) -> web.StreamResponse:
    """GET an `output_stream_url`: what was printed, then what is, until the end."""
    platform = platform_of(request)
    platform.signer.check(request)
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # who listened has gone
        async for chunk in platform.outputs.follow(request.match_info["output"]):
            await response.write(chunk)
    return response


ROUTES = (
    web.post("/sources", create_source),
    web.post("/apps/{app}/sources", create_source),
    web.put("/sources/{source}", put_source),
    web.get("/sources/{source}", get_source),
    web.post("/apps/{app}/builds", create_build),
    web.get("/apps/{app}/builds", list_builds),
    web.get("/apps/{app}/builds/{build}", show_build),
    web.get("/apps/{app}/slugs/{slug}", show_slug),
    web.post("/apps/{app}/releases", create_release),
    web.get("/apps/{app}/releases", list_releases),
    web.get("/apps/{app}/releases/{release}", show_release),
    web.get("/apps/{app}/releases/{release}/config-vars", show_release_config),
    web.get("/streams/{output}", stream),
)
