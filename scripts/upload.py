"""Upload a file to S3, list the versions that are there, or make an old one current again."""

import argparse
import base64
import hashlib
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `app` is

from app.sources import SourceError
from app.sources.s3 import split
from app.sources.s3_errors import advice
from bucket import Place, connect, held, listed, restore, version_of


def upload(s3: Any, place: Place, path: Path) -> str:
    """Upload the file unless the same bytes are there already; return what was done.

    It is one request, which S3 takes as a whole or not at all: an upload that is killed half way
    changes nothing and leaves nothing, and readers get the old object until then.
    """
    with path.open("rb") as file:
        digest, size = hashlib.file_digest(file, "sha256"), file.tell()
        checksum = base64.b64encode(digest.digest()).decode()
        there = held(s3, place)
        done = "already there" if there.get("ChecksumSHA256") == checksum else "uploaded"
        if done == "uploaded":
            file.seek(0)
            with tqdm.wrapattr(file, "read", size, desc=Path(place["Key"]).name, ncols=79) as body:
                there = s3.put_object(**place, Body=body, ChecksumSHA256=checksum)
    short = digest.hexdigest()[:12]
    return f"{done}: {size:,} bytes, sha256 {short}, version {version_of(there)}"


def main() -> int:
    """Do what the command line says. Exit status 1, and a sentence on standard error, if it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="what to upload")
    parser.add_argument("uri", metavar="s3://BUCKET/KEY")
    parser.add_argument("--versions", action="store_true", help="list the versions")
    parser.add_argument("--restore", metavar="VERSION", help="make this version current again")
    args = parser.parse_args()
    path: Path | None = args.file
    if bool(path) + args.versions + bool(args.restore) != 1:
        parser.error("give one of FILE, --versions and --restore VERSION")
    try:
        bucket, key = split(args.uri)
        place = {"Bucket": bucket, "Key": key}
        if path and path.is_file() and not path.stat().st_size:
            raise SourceError(f"{path} is empty: give a file that is not.")
        if path:
            said = upload(connect(), place, path)
        elif args.restore:
            said = restore(connect(), place, args.restore)
        else:
            said = listed(connect(), place)
        print(args.uri, said, sep="\n")
        return 0
    except SourceError as error:
        message = str(error)
    except (BotoCoreError, ClientError, ValueError) as error:
        message = f"{args.uri}: {advice(error)}."
    except OSError as error:
        message = f"{path} cannot be uploaded ({error.strerror}): give a file that can be read."
    except KeyboardInterrupt:
        message = (
            f"{args.uri}: interrupted, so it is as it was, unless all of the file had arrived."
        )
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
