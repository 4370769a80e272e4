"""Installs LocalStack and AWS's DynamoDB Local for a machine without Docker."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from infra import ROOT
from infra.local import ddb_agent

VENV = ROOT / ".venv-localstack"
DATA = ROOT / ".local" / "localstack"

#: The requirements per Python version; the first version that is installed is used.
REQUIREMENTS = {
    "3.13": ROOT / "requirements-localstack.txt",
    "3.11": ROOT / "requirements-localstack-3.11.txt",
}

#: The npm package that contains DynamoDB Local, and the SHA-256 of its archive.
DYNAMODB_LOCAL = "amplify-dynamodb-simulator@2.9.30"
DYNAMODB_LOCAL_SHA256 = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"

#: The Java version that DynamoDB Local requires.
JAVA = 17
NO_JAVA = (
    "LocalStack without Docker needs Java 17 or newer and npm: "
    "apt-get install default-jre-headless npm"
)


def find_java() -> Path:
    """Return a Java that is new enough, from JAVA_HOME or the PATH."""
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


def install() -> None:
    """Install LocalStack and its DynamoDB Local, unless they are installed."""
    DATA.mkdir(parents=True, exist_ok=True)
    jar = dynamodb_local() / "DynamoDBLocal.jar"
    if not jar.exists():
        if not shutil.which("npm"):
            raise SystemExit(NO_JAVA)
        _install_dynamodb_local()
    _install_localstack()


def _install_localstack() -> None:
    version, system_python = _find_python()
    wanted, ready = REQUIREMENTS[version], VENV / "ready"
    if ready.exists() and ready.read_bytes() == wanted.read_bytes() and venv_python().exists():
        return
    print(f"Installing LocalStack for Python {version} into {VENV.name} ...", flush=True)
    pip = [str(venv_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for step in (
        [system_python, "-m", "venv", "--clear", str(VENV)],
        [*pip, "--require-hashes", "--requirement", str(wanted)],
    ):
        if subprocess.run(step).returncode:
            raise SystemExit("LocalStack could not be installed; see above.")
    # Last, so that an interrupted installation is repeated.
    shutil.copyfile(wanted, ready)


def _find_python() -> tuple[str, str]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in REQUIREMENTS:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python"))
        for candidate in (f"python{version}", *map(str, installed)):
            # A pyenv shim can exist without its Python.
            with suppress(FileNotFoundError):
                if not subprocess.run([candidate, "-c", ""], capture_output=True).returncode:
                    return version, candidate
    raise SystemExit(f"LocalStack needs Python {' or '.join(REQUIREMENTS)}: install one of them.")


def venv_python() -> Path:
    return VENV / "bin" / "python"


def _install_dynamodb_local() -> None:
    print("Fetching DynamoDB Local ...", flush=True)
    with TemporaryDirectory(dir=DATA) as folder:
        pack = ["npm", "pack", DYNAMODB_LOCAL, "--silent", "--cache", f"{folder}/cache"]
        if subprocess.run(pack, cwd=folder, stdout=subprocess.DEVNULL).returncode:
            raise SystemExit(f"npm could not fetch {DYNAMODB_LOCAL}; see above.")
        archive = next(Path(folder).glob("*.tgz"))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != DYNAMODB_LOCAL_SHA256:
            raise SystemExit(f"{DYNAMODB_LOCAL} has an unexpected SHA-256.")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        emulator = Path(folder, "package", "emulator")
        ddb_agent.write(emulator / "ddb-local-loader-0.1.jar")
        # In one step, so that it is never incomplete.
        emulator.rename(dynamodb_local())


def dynamodb_local() -> Path:
    return DATA / DYNAMODB_LOCAL
