"""LocalStack, with Docker (`up`) or without (`host -- COMMAND`)."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from urllib.parse import urlsplit

from infra import ROOT, stack
from infra.local import emulated, localstack_install, localstack_server
from infra.local.__main__ import STAGE
from infra.local.cloud import free_port

COMPOSE_FILE = ROOT / "docker-compose.localstack.yml"


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
            "This needs Docker with its compose plugin; docs/localstack.md shows how to do without."
        )
    endpoint = localstack_server.endpoint()
    compose = ["docker", "compose", "--file", str(COMPOSE_FILE), "up", "--detach", "--wait"]
    port = {"LOCALSTACK_PORT": str(urlsplit(endpoint).port)}
    if code := subprocess.run(compose, env=os.environ | port).returncode:
        return code
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    for name, value in _credentials().items():
        os.environ.setdefault(name, value)
    stack.deploy(STAGE, template=emulated.template())
    print(f"LocalStack: {endpoint}", "Now: make run CLOUD=localstack", sep="\n")
    return 0


def host(command: list[str]) -> int:
    """Run a command with its own LocalStack on this machine; return the exit code."""
    java = localstack_install.find_java()
    localstack_install.install()
    _forget_aws()
    os.environ |= {"LOCALSTACK_HOST": f"127.0.0.1:{free_port()}"} | _credentials()
    with localstack_server.running(java):
        return _run(command)


def _run(command: list[str]) -> int:
    """Run a command and return its exit code; the command handles the signals."""
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise SystemExit(f"Cannot run {command[0]}: {error.strerror}") from None
    # A terminal sends Ctrl-C to the command as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    return code if code >= 0 else 128 - code


def _forget_aws() -> None:
    """Remove profiles, credentials and endpoints of other clouds."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "USE_SSL"]:
        del os.environ[name]


def _credentials() -> dict[str, str]:
    """Return credentials for LocalStack. It accepts any; do not use real ones."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.localstack", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start LocalStack in Docker and create the stack")
    runner = actions.add_parser("host", help="run a command with its own LocalStack")
    runner.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
