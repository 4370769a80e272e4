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
API = {"chalicelib.accounts", "chalicelib.api", "chalicelib.security", "chalicelib.tasks", "jwt"}
WORKER = {"chalicelib.batch", "chalicelib.worker"}
SWEEPER = {"chalicelib.sweeper"}
#: What the types need, which the sweeper does not run.
TYPES = {"chalicelib.runner", "chalicelib.task_types", "pydantic", "pydantic_core"}


_BEFORE = "import gc; BEFORE = sum(one['collections'] for one in gc.get_stats())"


def run(handler: str | None, code: str) -> set[str]:
    """Return the words that a new container of a Lambda prints after `import app`."""
    variables = {"_HANDLER": handler} if handler else {}
    printed = subprocess.run(
        [sys.executable, "-c", f"{_BEFORE}; import sys, app; {code}"],
        cwd=ROOT,
        env=os.environ | cloud.ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(printed.stdout.split())


@pytest.mark.parametrize(
    ("handler", "needed", "unwanted"),
    [
        ("app.app", API, NEVER | WORKER | SWEEPER),
        ("app.work", WORKER, NEVER | API | SWEEPER),
        ("app.handle_dead_letters", WORKER, NEVER | API | SWEEPER),
        ("app.sweep", SWEEPER, NEVER | API | WORKER | TYPES),
    ],
)
def test_a_new_container_imports_only_what_its_lambda_needs(
    handler: str, needed: set[str], unwanted: set[str]
) -> None:
    imported = run(handler, "print(*sys.modules)")
    assert needed <= imported
    assert not imported & unwanted


def test_a_process_outside_of_lambda_is_for_all_of_them() -> None:
    assert run(None, "print(*sys.modules)") >= API | WORKER | SWEEPER


@pytest.mark.parametrize("handler", ["app.app", "app.work", "app.sweep"])
def test_no_garbage_is_collected_during_a_start_but_after_it(handler: str) -> None:
    code = (
        "import gc;"
        "collections = sum(one['collections'] for one in gc.get_stats()) - BEFORE;"
        "print(collections <= 1, gc.isenabled(), gc.get_freeze_count() > 50_000)"
    )
    # One may come before the first line of app.py.
    assert run(handler, code) == {"True"}


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
