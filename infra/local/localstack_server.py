"""Runs an installed LocalStack, with everything it writes in one folder."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from localstack_client import config

from infra import ROOT
from infra.local import localstack_install
from infra.local.localstack_install import DATA

LOG = DATA / "localstack.log"

SERVICES = ("cloudformation", "dynamodb", "iam", "scheduler", "secretsmanager", "sqs", "sts")
#: How long LocalStack may take to start or to stop, in seconds.
PATIENCE = 60

#: Starts LocalStack. It needs two things that Python 3.11 lacks: Lock as a type (for
#: `Lock | None`), and a uuid5 that accepts bytes (for KMS keys).
_START = """
import hashlib, runpy, sys, threading, uuid
if sys.version_info < (3, 12):
    make, by_text = threading.Lock, uuid.uuid5
    threading.Lock = type("Lock", (), {"__new__": lambda cls: make()})
    def uuid5(space, name):
        if isinstance(name, str):
            return by_text(space, name)
        return uuid.UUID(bytes=hashlib.sha1(space.bytes + name).digest()[:16], version=5)
    uuid.uuid5 = uuid5
runpy.run_module("localstack.runtime.main", run_name="__main__")
"""

#: Where LocalStack looks, below its root folder, before it downloads something.
_LIBRARIES = Path("var/lib/localstack/lib")
_JAVA_HOME = "java/21/Contents/Home" if sys.platform == "darwin" else "java/21"


def endpoint() -> str:
    return str(config.get_service_endpoint("dynamodb"))


@contextmanager
def running(java: Path) -> Iterator[None]:
    """Run LocalStack for the duration of the block, where localstack-client looks for it.

    It writes only to a folder that is deleted with it.
    """
    with TemporaryDirectory(dir=DATA, prefix="run-") as folder, LOG.open("wb") as log:
        root = Path(folder)
        _prepare(root, java)
        process = subprocess.Popen(
            [localstack_install.venv_python(), "-c", _START],
            env=_settings(root),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for us: LocalStack stops last, when nothing uses it anymore.
            start_new_session=True,
        )
        try:
            _wait_until_up(process)
            yield
        finally:
            _stop(process, root)


def _prepare(root: Path, java: Path) -> None:
    """Put what LocalStack would download where it looks first."""
    (root / "tmp").mkdir()
    libraries = root / _LIBRARIES
    (libraries / "dynamodb-local").mkdir(parents=True)
    (libraries / "dynamodb-local" / "2").symlink_to(localstack_install.dynamodb_local())
    executable = libraries / _JAVA_HOME / "bin" / "java"
    executable.parent.mkdir(parents=True)
    # LocalStack starts Java in a session of its own: with its id we can stop it too.
    temporary = f"-Djava.io.tmpdir={root / 'tmp'}"
    executable.write_text(
        "#!/bin/sh\n"
        f"echo $$ > {shlex.quote(str(_java_id(root)))}\n"
        f'exec {shlex.quote(str(java))} -XX:-UsePerfData {shlex.quote(temporary)} "$@"\n'
    )
    executable.chmod(0o755)


def _settings(root: Path) -> dict[str, str]:
    """Return LocalStack's whole environment; it inherits nothing but the PATH."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "TMPDIR": str(root / "tmp"),
        # Even in a container, LocalStack keeps all of its files below this folder.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(root),
        "GATEWAY_LISTEN": os.environ["LOCALSTACK_HOST"],
        "LOCALSTACK_HOST": os.environ["LOCALSTACK_HOST"],
        "SERVICES": ",".join(SERVICES),
        # Load these services at the start, and others when the template uses them.
        "EAGER_SERVICE_LOADING": "1",
        "STRICT_SERVICE_LOADING": "0",
        "DYNAMODB_IN_MEMORY": "1",
        # Queue URLs with an address: names like sqs.localhost do not resolve everywhere.
        "SQS_ENDPOINT_STRATEGY": "path",
        # No name server, no downloaded certificate, no telemetry.
        "DNS_ADDRESS": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
    }


def _wait_until_up(process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"{endpoint()}/_localstack/health", timeout=1) as answer:
                states = json.load(answer)["services"]
            # Services load eagerly: one that runs has started its engine too.
            if all(states[service] == "running" for service in SERVICES):
                return
        time.sleep(0.1)
    raise SystemExit(f"LocalStack did not start; {LOG.relative_to(ROOT)} says why.")


def _stop(process: "subprocess.Popen[bytes]", root: Path) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # After an orderly stop, Java has stopped too.
    if process.returncode != 0 and _java_id(root).exists():
        with suppress(ProcessLookupError):
            os.kill(int(_java_id(root).read_text()), signal.SIGKILL)


def _java_id(root: Path) -> Path:
    return root / "java.pid"
