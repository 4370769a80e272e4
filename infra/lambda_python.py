"""The Python that the Lambdas get: Chalice takes the one that deploys them."""

import sys

from infra import DeployError

#: Lambda deprecates 3.11 on 2027-06-30 and refuses updates of such functions after 2027-08-31; 3.12
#: follows in October 2028, 3.13 in June 2029. cfn-lint ships the dates of
#: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html (LmbdRuntimeLifecycle.json).
OLDEST = (3, 12)
#: The newest that `make install` takes.
NEWEST = (3, 13)


def check(version: tuple[int, int] | None = None) -> None:
    """Raise DeployError if the Lambdas must not get a version of Python, by default this one."""
    version = version or sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        raise DeployError(
            f"The Lambdas would get Python {version[0]}.{version[1]}, which AWS soon ends or this "
            "project does not know. Install Python 3.13 (python3.13 on the PATH, or pyenv), "
            "and run this again."
        )
