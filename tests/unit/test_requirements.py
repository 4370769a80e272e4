"""The pinned packages: what runs is what was tested."""

from infra import ROOT


def pins(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {line.split()[0] for line in lines if "==" in line}


def test_make_run_installs_a_part_of_what_the_tests_use() -> None:
    assert pins("requirements-run.txt") < pins("requirements-dev.txt")


def test_every_library_of_the_lambdas_is_in_what_make_run_installs() -> None:
    assert pins("requirements.txt") < pins("requirements-run.txt")
