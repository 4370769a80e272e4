"""The package of a stage contains the merged template and a zip with the right files."""

import json
import marshal
import os
import re
import subprocess
import sys
import zipfile
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from typing import Any

import pytest
from chalice.cli.factory import CLIFactory
from chalice.deploy.validate import validate_configuration

from infra import PackageError, deployment_zip, gateway, package, sam_template, stage_settings
from tests import cloud
from tests.deploy.conftest import STAGE

ROOT = Path(__file__).parents[2]
STAGES = list(json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"])


@pytest.fixture(scope="session")
def template(built: Path) -> Any:
    return json.loads((built / "sam.json").read_text())


@pytest.fixture
def resources(template: Any) -> Any:
    return template["Resources"]


@pytest.fixture
def repack(built: Path, tmp_path: Path) -> Any:
    """`repack("x.py", b"")`: the path of a copy of the zip with one more file."""

    def repack(name: str, content: bytes) -> Path:
        copy = tmp_path / "deployment.zip"
        copy.write_bytes((built / "deployment.zip").read_bytes())
        with zipfile.ZipFile(copy, "a") as archive:
            archive.writestr(name, content)
        return copy

    return repack


def test_two_builds_are_the_same_byte_for_byte(built: Path, tmp_path: Path) -> None:
    package.build(STAGE, tmp_path / "again", architecture(built))
    for name in ("sam.json", "deployment.zip"):
        assert (tmp_path / "again" / name).read_bytes() == (built / name).read_bytes(), name


def test_a_zip_does_not_depend_on_the_order_or_the_age_of_its_files(tmp_path: Path) -> None:
    files = [("a.py", 1990), ("b/c.py", 2000), ("b/__pycache__/c.pyc", 2010)]
    for name, order in (("one.zip", files), ("two.zip", files[::-1])):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for number, (file, year) in enumerate(order):
                archive.writestr(zipfile.ZipInfo(file, (year + number, 1, 1, 0, 0, 0)), file)
        deployment_zip.normalize(tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == [
            cache_from_source("a.py"),
            "a.py",
            cache_from_source("b/c.py"),
            "b/c.py",
        ]


def test_the_package_is_two_files(built: Path) -> None:
    assert sorted(path.name for path in built.iterdir()) == ["deployment.zip", "sam.json"]


def test_cfn_lint_finds_nothing_in_the_template(built: Path) -> None:
    lint = [Path(sys.executable).with_name("cfn-lint"), built / "sam.json"]
    run = subprocess.run(lint, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("section", ["Resources", "Outputs"])
def test_the_template_contains_the_whole_stack(template: Any, section: str) -> None:
    expected = cloud.template()[section]
    assert {name: template[section][name] for name in expected} == expected


def test_the_stage_is_the_parameters_only_value(template: Any) -> None:
    parameter = template["Parameters"]["Stage"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (STAGE, [STAGE])


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("APIHandler", "tasks-${Stage}"),
        ("Worker", "tasks-${Stage}-worker"),
        ("DeadLetters", "tasks-${Stage}-dead_letters"),
        ("Sweeper", "tasks-${Stage}-sweeper"),
    ],
)
def test_functions_have_the_names_that_the_alarms_use(
    resources: Any, function: str, name: str
) -> None:
    assert resources[function]["Properties"]["FunctionName"] == {"Fn::Sub": name}


@pytest.mark.parametrize("function", sam_template.FUNCTIONS)
def test_functions_get_their_environment_from_the_stack(resources: Any, function: str) -> None:
    outputs = cloud.template()["Outputs"]
    variables = resources[function]["Properties"]["Environment"]["Variables"]
    assert variables["QUEUE_URL"] == outputs["QueueUrl"]["Value"]
    assert variables["SIGNING_KEYS_ARN"] == outputs["SigningKeysArn"]["Value"]
    literal = {name for name, value in variables.items() if isinstance(value, str)}
    assert literal <= {"ACCESS_TOKEN_MINUTES", "REFRESH_TOKEN_DAYS", "PASSWORD_POLICY"}
    assert set(cloud.ENVIRONMENT) - set(variables) <= {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    }


@pytest.mark.parametrize(
    ("function", "queue"), [("Worker", "Queue"), ("DeadLetters", "DeadLetterQueue")]
)
def test_queues_keep_only_the_messages_that_failed(
    resources: Any, function: str, queue: str
) -> None:
    (source,) = resources[function]["Properties"]["Events"].values()
    assert source["Type"] == "SQS"
    assert source["Properties"]["Queue"] == {"Fn::Sub": f"${{{queue}.Arn}}"}
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_api_gateways_own_errors_have_the_services_shape(resources: Any) -> None:
    responses = resources["RestAPI"]["Properties"]["GatewayResponses"]
    assert set(responses) == set(gateway.RESPONSES)
    unknown = responses["MISSING_AUTHENTICATION_TOKEN"]
    assert unknown["StatusCode"] == 404
    assert json.loads(unknown["ResponseTemplates"]["application/json"])["code"] == "not_found"
    assert unknown["ResponseParameters"]["Headers"]["Access-Control-Allow-Origin"] == "'*'"


def test_the_api_has_the_stage_settings(resources: Any) -> None:
    api, settings = resources["RestAPI"]["Properties"], stage_settings.of(STAGE)
    assert api["MethodSettings"] == stage_settings.method_settings(settings)
    assert api["AccessLogSetting"]["Format"] == stage_settings.ACCESS_LOG
    assert api["TracingEnabled"] is False
    assert api["Tags"] == stage_settings.tags(STAGE)


def test_an_unknown_logical_id_stops_the_build(template: Any) -> None:
    mistyped = template | {"Resources": template["Resources"] | {"Wroker": {"Properties": {}}}}
    with pytest.raises(PackageError, match="Wroker"):
        sam_template.check(mistyped, cloud.template() | {"Parameters": {}})


def test_an_unknown_stage_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no stage elsewhere"):
        package.build("elsewhere", tmp_path / "out")


def test_the_zip_contains_only_the_service_and_chalices_runtime(built: Path) -> None:
    with zipfile.ZipFile(built / "deployment.zip") as archive:
        names = archive.namelist()
    assert {name for name in names if re.fullmatch("chalice/.*py", name)} == {
        "chalice/__init__.py",
        "chalice/app.py",
    }
    assert {"app.py", "chalicelib/common-passwords.txt.gz"} <= set(names)
    console = (ROOT / "chalicelib" / "console").iterdir()
    assert {f"chalicelib/console/{path.name}" for path in console} <= set(names)
    tops = {re.split(r"[/.]", name)[0] for name in names}
    assert not tops & {"boto3", "botocore", "click", "yaml", "infra", "tests", "pip", "setuptools"}
    assert not tops & {"client", "moscow_tasks", "httpx", "rich", "typer"}


def test_every_module_is_compiled_for_this_python_and_its_source_is_not_asked(
    built: Path,
) -> None:
    with zipfile.ZipFile(built / "deployment.zip") as archive:
        names = archive.namelist()
        sources = [name for name in names if name.endswith(".py")]
        compiled = [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
        assert sorted(map(cache_from_source, sources)) == sorted(compiled)
        for name in sources:
            code = archive.read(cache_from_source(name))
            # PEP 552: hash-based, not checked.
            header = MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(archive.read(name))
            assert code[:16] == header, name
            # Only so does it not depend on where it was compiled.
            assert marshal.loads(code[16:]).co_filename == f"/var/task/{name}"  # noqa: S302


def test_a_module_that_is_not_compiled_stops_the_build(repack: Any) -> None:
    with pytest.raises(PackageError, match=r"chalicelib/.*/more"):
        deployment_zip.check(repack("chalicelib/more.py", b""), ROOT / "requirements.txt")


def test_a_module_that_cannot_be_compiled_stops_the_build(repack: Any) -> None:
    with pytest.raises(PackageError, match=r"chalicelib/more\.py"):
        deployment_zip.normalize(repack("chalicelib/more.py", b"one two"))


def test_what_is_compiled_from_nothing_stops_the_build(repack: Any) -> None:
    with pytest.raises(PackageError, match="chalicelib/less"):
        deployment_zip.check(repack("chalicelib/less.pyc", b""), ROOT / "requirements.txt")


RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")

#: Imports the app where only the zip, Python and Lambda's own packages can be imported.
IMPORT_APP = """
import importlib.util, sys
code, lambdas = sys.argv[1], sys.argv[2].split(",")
libraries = [path for path in sys.path if "site-packages" in path]
sys.path = [code] + [path for path in sys.path if path not in libraries]

class Runtime:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is None and name in lambdas:
            from importlib.machinery import PathFinder
            return PathFinder.find_spec(name, libraries)

sys.meta_path.append(Runtime)
import app
print(app.__file__, app.app.app_name)
"""


def test_the_app_starts_with_only_the_zip_and_lambdas_own_packages(
    built: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(built / "deployment.zip") as archive:
        archive.extractall(tmp_path)
    run = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT_APP, tmp_path, ",".join(RUNTIME)],
        env={"PATH": os.environ["PATH"]} | cloud.ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == [str(tmp_path / "app.py"), "tasks"], run.stderr


def test_a_distribution_that_is_not_listed_stops_the_build(repack: Any) -> None:
    path = repack("botocore-1.0.dist-info/METADATA", b"Name: botocore\nVersion: 1.0\n")
    with pytest.raises(PackageError, match=r"botocore==1\.0"):
        deployment_zip.check(path, ROOT / "requirements.txt")


def test_a_distribution_that_is_missing_stops_the_build(built: Path, tmp_path: Path) -> None:
    more = tmp_path / "requirements.txt"
    more.write_text((ROOT / "requirements.txt").read_text() + "left-out==1.0\n")
    with pytest.raises(PackageError, match=r"left-out==1\.0"):
        deployment_zip.check(built / "deployment.zip", more)


def test_a_file_that_no_distribution_owns_stops_the_build(repack: Any) -> None:
    with pytest.raises(PackageError, match="yaml/__init__"):
        deployment_zip.check(repack("yaml/__init__.py", b""), ROOT / "requirements.txt")


def test_more_than_20_mib_stop_the_build(repack: Any) -> None:
    path = repack("chalicelib/large", os.urandom(deployment_zip.MAX_BYTES))
    with pytest.raises(PackageError, match="20 MiB"):
        deployment_zip.check(path, ROOT / "requirements.txt")


def test_a_dependency_that_cannot_be_installed_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chalice prints this and goes on, with exit code 0.
    said = subprocess.CompletedProcess([], 0, stdout="Could not install dependencies:\nx==1.0\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: said)
    with pytest.raises(PackageError, match=r"x==1\.0"):
        package.build(STAGE, tmp_path / "out")


def test_wheels_and_functions_have_the_same_architecture(built: Path, tmp_path: Path) -> None:
    wheels = {"arm64": "aarch64", "x86_64": "x86_64"}
    here = architecture(built)
    (other,) = set(wheels) - {here}
    package.build(STAGE, tmp_path / "other", other)
    assert architecture(tmp_path / "other") == other
    assert machines(built) == {wheels[here]}
    assert machines(tmp_path / "other") == {wheels[other]}


PYTHON = sys.version_info[:2]


@pytest.mark.parametrize("python", [(3, 10), (3, 14)])
def test_wheels_for_another_python_stop_the_build(built: Path, python: tuple[int, int]) -> None:
    with pytest.raises(PackageError, match=f"cp3{python[1]}"):
        deployment_zip.check_binaries(built / "deployment.zip", architecture(built), python)


def test_wheels_for_another_machine_stop_the_build(built: Path) -> None:
    (other,) = {"arm64", "x86_64"} - {architecture(built)}
    with pytest.raises(PackageError, match=other):
        deployment_zip.check_binaries(built / "deployment.zip", other, PYTHON)


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        # The number of the ELF header says another machine than the name.
        ("a/_c.abi3.so", 40),
        ("a/_c.cpython-39-x86_64-linux-gnu.so", None),
    ],
)
def test_a_library_for_another_machine_or_python_stops_the_build(
    built: Path, repack: Any, name: str, machine: int | None
) -> None:
    here = {"arm64": 183, "x86_64": 62}[architecture(built)]
    elf = b"\x7fELF".ljust(18, b"\0") + (machine or here).to_bytes(2, "little")
    with pytest.raises(PackageError, match=re.escape(name)):
        deployment_zip.check_binaries(repack(name, elf), architecture(built), PYTHON)


def test_wheels_of_the_stable_abi_fit_every_python(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.writestr("a-1.dist-info/WHEEL", "Tag: cp38-abi3-manylinux_2_17_aarch64\n")
        archive.writestr("b-1.dist-info/WHEEL", "Tag: py3-none-any\n")
        archive.writestr("c-1.dist-info/WHEEL", "Tag: cp313-cp313-manylinux2014_aarch64\n")
    deployment_zip.check_binaries(tmp_path / "one.zip", "arm64", (3, 13))


def architecture(built: Path) -> str:
    """Return the architecture that all functions of a package have."""
    resources = json.loads((built / "sam.json").read_text())["Resources"]
    (one,) = {resources[name]["Properties"]["Architectures"][0] for name in sam_template.FUNCTIONS}
    return str(one)


def machines(built: Path) -> set[str]:
    """Return the architectures that the wheels in a package are for."""
    with zipfile.ZipFile(built / "deployment.zip") as archive:
        tags = [archive.read(name).decode() for name in archive.namelist() if "/WHEEL" in name]
    return set(re.findall(r"x86_64|aarch64|i686", "".join(tags)))


@pytest.mark.parametrize("stage", STAGES)
def test_chalice_finds_nothing_wrong_with_a_stage(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chalice leaves a stage's variables in the environment.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    config = CLIFactory(str(ROOT), environ=os.environ).create_config_obj(stage)
    validate_configuration(config)
