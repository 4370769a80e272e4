"""What a new container of each Lambda does not import: it would be waited for."""

import os
import subprocess
import sys

import pytest

from infra import ROOT
from tests import cloud

#: By its own `import app`, each Lambda needs none of these.
NEVER = {
    "argon2",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.parser",
    "boto3",
    "passlib",
    "s3transfer",
}
#: Nor do those that are not the API.
ONLY_API = {"chalicelib.accounts", "chalicelib.api", "chalicelib.security", "jwt"}


def run(handler: str, code: str) -> set[str]:
    """Return the words that a new container of a Lambda prints after `import app`."""
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys, app; {code}"],
        cwd=ROOT,
        env=os.environ | cloud.ENVIRONMENT | {"_HANDLER": handler},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(printed.stdout.split())


@pytest.mark.parametrize(
    ("handler", "unwanted"),
    [
        ("app.app", NEVER),
        ("app.work", NEVER | ONLY_API),
        ("app.handle_dead_letters", NEVER | ONLY_API),
        ("app.sweep", NEVER | ONLY_API),
    ],
)
def test_a_new_container_imports_only_what_its_lambda_needs(
    handler: str, unwanted: set[str]
) -> None:
    imported = run(handler, "print(*sys.modules)")
    assert "chalicelib.worker" in imported
    assert ("chalicelib.api" in imported) == (handler == "app.app")
    assert not imported & unwanted


def test_models_are_built_when_they_are_first_used() -> None:
    code = (
        "from chalicelib.lazy_model import LazyModel;"
        "models = LazyModel.__subclasses__();"
        "print(len(models) > 10, *[one.__name__ for one in models if one.__pydantic_complete__])"
    )
    assert run("app.app", code) == {"True"}


def test_every_model_of_the_api_is_such_a_model() -> None:
    code = (
        "from pydantic import BaseModel;"
        "print(*[one.__name__ for one in BaseModel.__subclasses__()"
        " if one.__module__.startswith('chalicelib.api')])"
    )
    assert run("app.app", code) == set()
