"""LocalStack, with Docker (`up`) or without (`host -- COMMAND`)."""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from localstack_client import config

from infra import stack
from infra.local import ddb_agent
from infra.local.__main__ import STAGE
from infra.local.cloud import free_port

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.localstack.yml"
VENV = ROOT / ".venv-localstack"
DATA = ROOT / ".local" / "localstack"
LOG = DATA / "localstack.log"

#: What to install for which Python; the first that is there is taken.
REQUIREMENTS = {
    "3.13": ROOT / "requirements-localstack.txt",
    "3.11": ROOT / "requirements-localstack-3.11.txt",
}

#: The npm package that brings AWS's DynamoDB Local, and the SHA-256 of its archive.
DYNAMODB_LOCAL = "amplify-dynamodb-simulator@2.9.30"
DYNAMODB_LOCAL_SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"

#: What DynamoDB Local asks for.
JAVA = 17
NO_JAVA = (
    "LocalStack without Docker needs Java 17 or newer and npm: "
    "apt-get install default-jre-headless npm"
)

SERVICES = ("cloudformation", "dynamodb", "iam", "scheduler", "secretsmanager", "sqs", "sts")
#: How long LocalStack may take to start or to end, in seconds.
PATIENCE = 60

#: Starts LocalStack. It takes two things for granted that Python 3.11 has not: that a Lock is a
#: type (for `Lock | None`), and that uuid5 takes bytes (for the keys of KMS).
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

#: Where LocalStack looks for what it would otherwise download, below its root folder.
_LIBRARIES = Path("var/lib/localstack/lib")
_JAVA_HOME = "java/21/Contents/Home" if sys.platform == "darwin" else "java/21"


def main() -> int:
    arguments = _arguments()
    if arguments.action == "up":
        return up()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return host(arguments.command)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def up() -> int:
    """Start LocalStack in Docker, and create the stack in it."""
    if not shutil.which("docker"):
        raise SystemExit(
            "Docker is needed with its compose plugin; docs/localstack.md does without."
        )
    endpoint = _endpoint()
    compose = ["docker", "compose", "--file", str(COMPOSE_FILE), "up", "--detach", "--wait"]
    port = {"LOCALSTACK_PORT": str(urlsplit(endpoint).port)}
    if code := subprocess.run(compose, env=os.environ | port).returncode:
        return code
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    for name, value in _credentials().items():
        os.environ.setdefault(name, value)
    stack.deploy(STAGE)
    print(f"LocalStack: {endpoint}", "Now: make run CLOUD=localstack", sep="\n")
    return 0


def host(command: list[str]) -> int:
    """Run a command with a LocalStack of its own on this machine; return its exit code."""
    java = find_java()
    install(java)
    _forget_aws()
    os.environ |= {"LOCALSTACK_HOST": f"127.0.0.1:{free_port()}"} | _credentials()
    with running(java):
        return _run(command)


def find_java() -> Path:
    """Return a Java that is new enough: JAVA_HOME's, or the one on the PATH."""
    home = os.environ.get("JAVA_HOME")
    candidates = [shutil.which("java", path=f"{home}/bin") if home else None, shutil.which("java")]
    for java in filter(None, candidates):
        answer = subprocess.run(
            [java, "-XshowSettings:properties", "-version"], capture_output=True, text=True
        )
        version = re.search(r"java\.specification\.version = (\d+)", answer.stderr)
        if version and int(version[1]) >= JAVA:
            return Path(java)
    raise SystemExit(NO_JAVA)


def install(java: Path) -> None:
    """Install what is not there yet: LocalStack, and DynamoDB Local for it."""
    DATA.mkdir(parents=True, exist_ok=True)
    jar = _dynamodb_local() / "DynamoDBLocal.jar"
    if not jar.exists():
        if not shutil.which("npm"):
            raise SystemExit(NO_JAVA)
        _install_dynamodb_local()
    _install_localstack()


def _install_localstack() -> None:
    version, python = _find_python()
    wanted, ready = REQUIREMENTS[version], VENV / "ready"
    if ready.exists() and ready.read_bytes() == wanted.read_bytes() and _python().exists():
        return
    print(f"Installing LocalStack for Python {version} into {VENV.name} ...", flush=True)
    pip = [str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for step in (
        [python, "-m", "venv", "--clear", str(VENV)],
        [*pip, "--require-hashes", "--requirement", str(wanted)],
    ):
        if subprocess.run(step).returncode:
            raise SystemExit("LocalStack could not be installed: see above.")
    # Last, so that an installation that was broken off is made anew.
    shutil.copyfile(wanted, ready)


def _find_python() -> tuple[str, str]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in REQUIREMENTS:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python"))
        for python in (f"python{version}", *map(str, installed)):
            # A shim of pyenv may be there without a Python behind it.
            with suppress(FileNotFoundError):
                if not subprocess.run([python, "-c", ""], capture_output=True).returncode:
                    return version, python
    raise SystemExit(f"LocalStack needs Python {' or '.join(REQUIREMENTS)}: install one of them.")


def _python() -> Path:
    return VENV / "bin" / "python"


def _install_dynamodb_local() -> None:
    print("Fetching DynamoDB Local ...", flush=True)
    with TemporaryDirectory(dir=DATA) as folder:
        pack = ["npm", "pack", DYNAMODB_LOCAL, "--silent", "--cache", f"{folder}/cache"]
        if subprocess.run(pack, cwd=folder, stdout=subprocess.DEVNULL).returncode:
            raise SystemExit(f"npm could not fetch {DYNAMODB_LOCAL}: see above.")
        archive = next(Path(folder).glob("*.tgz"))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != DYNAMODB_LOCAL_SHA256:
            raise SystemExit(f"{DYNAMODB_LOCAL} is not what it was: its SHA-256 is another one.")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        emulator = Path(folder, "package", "emulator")
        ddb_agent.write(emulator / "ddb-local-loader-0.1.jar")
        # In one step, so that it is there whole or not at all.
        emulator.rename(_dynamodb_local())


def _dynamodb_local() -> Path:
    return DATA / DYNAMODB_LOCAL


@contextmanager
def running(java: Path) -> Iterator[None]:
    """Run LocalStack where localstack-client looks for it, as long as the block.

    Whatever it writes is in a folder that goes with it; nothing is written elsewhere.
    """
    with TemporaryDirectory(dir=DATA, prefix="run-") as folder, LOG.open("wb") as log:
        root = Path(folder)
        _furnish(root, java)
        process = subprocess.Popen(
            [_python(), "-c", _START],
            env=_settings(root),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is ours: LocalStack ends last, when nobody uses it any more.
            start_new_session=True,
        )
        try:
            _wait_until_up(process)
            yield
        finally:
            _stop(process, root)


def _furnish(root: Path, java: Path) -> None:
    """Put what LocalStack would download to where it looks first."""
    (root / "tmp").mkdir()
    libraries = root / _LIBRARIES
    (libraries / "dynamodb-local").mkdir(parents=True)
    (libraries / "dynamodb-local" / "2").symlink_to(_dynamodb_local())
    executable = libraries / _JAVA_HOME / "bin" / "java"
    executable.parent.mkdir(parents=True)
    # LocalStack gives Java a session of its own: without its id it might outlive LocalStack.
    temporary = f"-Djava.io.tmpdir={root / 'tmp'}"
    executable.write_text(
        "#!/bin/sh\n"
        f"echo $$ > {shlex.quote(str(_java_id(root)))}\n"
        f'exec {shlex.quote(str(java))} -XX:-UsePerfData {shlex.quote(temporary)} "$@"\n'
    )
    executable.chmod(0o755)


def _settings(root: Path) -> dict[str, str]:
    """Return LocalStack's whole environment: nothing of ours or of the user's gets into it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "TMPDIR": str(root / "tmp"),
        # Ours is a machine even where it is a container: below this folder are all its own.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(root),
        "GATEWAY_LISTEN": os.environ["LOCALSTACK_HOST"],
        "LOCALSTACK_HOST": os.environ["LOCALSTACK_HOST"],
        "SERVICES": ",".join(SERVICES),
        # These at once; what else the template may ask for when it does.
        "EAGER_SERVICE_LOADING": "1",
        "STRICT_SERVICE_LOADING": "0",
        "DYNAMODB_IN_MEMORY": "1",
        # Queue URLs with an address, as names like sqs.localhost do not resolve everywhere.
        "SQS_ENDPOINT_STRATEGY": "path",
        # No name server, no certificate from elsewhere, no telling anybody about this run.
        "DNS_ADDRESS": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
    }


def _wait_until_up(process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"{_endpoint()}/_localstack/health", timeout=1) as answer:
                states = json.load(answer)["services"]
            # They are loaded eagerly: a service that runs has its engine up as well.
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
    # At an orderly end it has ended its Java too.
    if process.returncode != 0 and _java_id(root).exists():
        with suppress(ProcessLookupError):
            os.kill(int(_java_id(root).read_text()), signal.SIGKILL)


def _java_id(root: Path) -> Path:
    return root / "java.pid"


def _run(command: list[str]) -> int:
    """Run a command and return its exit code; signals are for the command, not for us."""
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise SystemExit(f"{command[0]} cannot be run: {error.strerror}") from None
    # A terminal sends Ctrl-C to the command by itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    return code if code >= 0 else 128 - code


def _endpoint() -> str:
    return str(config.get_service_endpoint("dynamodb"))


def _forget_aws() -> None:
    """Forget profiles, credentials and endpoints of other clouds."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "USE_SSL"]:
        del os.environ[name]


def _credentials() -> dict[str, str]:
    """Return what stands for credentials: any will do, but an account's own are not for it."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.localstack", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start it in Docker, and create the stack")
    runner = actions.add_parser("host", help="run a command with one of its own, without Docker")
    runner.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
