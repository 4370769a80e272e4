"""The Python that the Lambdas get: Chalice takes the one that deploys them."""

import sys

from infra import DeployError

#: AWS supports 3.12 until October 2028 and 3.13 until June 2029. The end of 3.11 is near: June 2026
#: when Lambda's policy was first published, June 2027 at the latest
#: (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html).
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
