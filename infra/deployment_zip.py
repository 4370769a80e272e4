"""The zip of a package: reproducible, complete, and nothing in it that nobody asked for."""

import re
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import ROOT, PackageError

#: Where Lambda unpacks a zip; nobody can write there.
TASK_ROOT = "/var/task"
MAX_BYTES = 20 * 2**20

#: How wheels and ELF headers (e_machine, in /usr/include/elf.h) name Lambda's architectures.
_MACHINES = {"arm64": ("aarch64", 183), "x86_64": ("x86_64", 62)}


def finish(path: Path, architecture: str) -> None:
    """Compile, normalize and check a zip that Chalice built with this Python.

    Raises PackageError.
    """
    normalize(path)
    check(path, ROOT / "requirements.txt")
    check_binaries(path, architecture, sys.version_info[:2])


def normalize(path: Path) -> None:
    """Rewrite a zip so that its modules are compiled and its bytes depend only on its files.

    Raises PackageError.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with zipfile.ZipFile(path) as archive:
            wanted = [name for name in archive.namelist() if "__pycache__" not in name.split("/")]
            archive.extractall(folder, wanted)
        _compile(folder)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
                entry.external_attr = 0o644 << 16
                entry.create_system = 3
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def _compile(folder: Path) -> None:
    """Compile all modules in a folder: a new container could not keep what it compiles.

    What is compiled does not name the time of its source, which is not the same on Lambda
    (PEP 552).
    """
    # In a process of its own: the bytes depend on what else is in memory.
    run = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-m", "compileall", "-q", folder),
            *("--invalidation-mode", "unchecked-hash", "-s", folder, "-p", TASK_ROOT),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        raise PackageError(f"The modules cannot be compiled:\n{run.stdout}")


def check(path: Path, requirements: Path) -> None:
    """Check that a zip contains exactly what requirements.txt lists, compiled, and is small enough.

    Raises PackageError.
    """
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        shipped = {_distribution(archive, name) for name in names if name.endswith("/METADATA")}
        recorded = {
            line.rsplit(",", 2)[0]
            for name in names
            if name.endswith(".dist-info/RECORD")
            for line in archive.read(name).decode().splitlines()
        }
    listed = _listed(requirements)
    if shipped != listed:
        raise PackageError(
            f"Not in {requirements.name}: {sorted(shipped - listed) or 'nothing'}; "
            f"not in the package: {sorted(listed - shipped) or 'nothing'}."
        )
    compiled = {cache_from_source(name) for name in names if name.endswith(".py")}
    own = re.compile(r"app\.py|chalicelib/.*|chalice/(__init__|app)\.py")
    if strangers := {name for name in names - recorded - compiled if not own.fullmatch(name)}:
        raise PackageError(f"These files belong to no distribution: {sorted(strangers)[:10]}.")
    if wrong := compiled ^ {name for name in names if name.endswith(".pyc")}:
        raise PackageError(f"These are missing, or compiled from nothing: {sorted(wrong)[:10]}.")
    if path.stat().st_size > MAX_BYTES:
        raise PackageError(
            f"{path.name} has {mebibytes(path)}, more than {MAX_BYTES // 2**20} MiB."
        )


def check_binaries(path: Path, architecture: str, python: tuple[int, int]) -> None:
    """Check that everything compiled in a zip is for an architecture and a version of Python.

    Raises PackageError.
    """
    wheel_name, elf_number = _MACHINES[architecture]
    tag = f"cp{python[0]}{python[1]}"
    fits = re.compile(rf"(py3|py2\.py3)-none-any|({tag}|cp3\d+-abi3|py3-none).*_{wheel_name}")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/WHEEL"):
                tags = message_from_bytes(archive.read(name)).get_all("Tag", [])
                if not any(fits.match(one) for one in tags):
                    raise PackageError(f"{name} is for {tags}, not for {tag} on {architecture}.")
            elif name.endswith(".so"):
                header = archive.read(name)[:20]
                machine = int.from_bytes(header[18:20], "little")
                if header[:4] != b"\x7fELF" or machine != elf_number:
                    raise PackageError(f"{name} is not compiled for {architecture}.")
                if (other := re.search(r"\.cpython-(\d+)-", name)) and other[1] != tag[2:]:
                    raise PackageError(f"{name} is compiled for another Python than {tag}.")


def _distribution(archive: zipfile.ZipFile, name: str) -> str:
    metadata = message_from_bytes(archive.read(name))
    return f"{canonicalize_name(metadata['Name'])}=={metadata['Version']}"


def _listed(requirements: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in requirements.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line]
    return {
        f"{canonicalize_name(one.name)}{one.specifier}"
        for one in wanted
        if one.marker is None or one.marker.evaluate()
    }


def mebibytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.2f} MiB"
