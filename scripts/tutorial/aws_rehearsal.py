"""AWS in this process's memory, for templates: moto, which also plays the first boot of a stack's machine."""

import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tutorial.cloud.services import REGION

PATIENCE = 120  # seconds until the scripts for the machine have to be in the bucket
SCRIPTS = "setup/host.tar.gz"
CERTIFICATE = "setup/ca.pem"


@contextmanager
def rehearsed_aws() -> Iterator[dict[str, str]]:
    """Give the variables that lead a program to an account in which nothing stands; forget it in the end."""
    from moto.cloudformation.models import Stack  # takes seconds: when it is asked for
    from moto.server import ThreadedMotoServer

    # Each request, and what of a template is not made: the chapter says that it is not all.
    for chatty in ("werkzeug", "moto"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="moto")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    machines: list[threading.Thread] = []
    complete = Stack.mark_creation_complete
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"

        def boot(stack: Any) -> None:
            _wait_for_scripts(url, stack.parameters["BucketName"])
            complete(stack)

        def begin(stack: Any) -> None:
            machines.append(threading.Thread(target=boot, args=(stack,), daemon=True))
            machines[-1].start()

        with patch.object(Stack, "mark_creation_complete", begin):
            yield {
                "AWS_ENDPOINT_URL": url,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "rehearsal",
                "AWS_SECRET_ACCESS_KEY": "rehearsal",
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_CONFIG_FILE": os.devnull,
            }
        for machine in machines:
            machine.join(PATIENCE)
    finally:
        server.stop()


def _wait_for_scripts(url: str, bucket: str) -> None:
    """Do what the machine's first boot does, as far as others see it: wait for the scripts, show a certificate."""
    import boto3

    s3 = boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="rehearsal",
        aws_secret_access_key="rehearsal",
    )
    until = time.monotonic() + PATIENCE
    while not s3.list_objects_v2(Bucket=bucket, Prefix=SCRIPTS)["KeyCount"]:
        if time.monotonic() > until:
            return
        time.sleep(0.2)
    s3.put_object(Bucket=bucket, Key=CERTIFICATE, Body=b"the certificate of a rehearsal\n")
