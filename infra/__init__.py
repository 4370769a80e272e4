"""Everything around the service: its stack, its deployment, and a cloud on one machine."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
#: How long a change may take to show in AWS, in seconds.
PATIENCE = 120


class DeployError(Exception):
    """A step of a deployment failed; the message says what to do."""


class PackageError(Exception):
    """A package is not as it should be; the message says why."""


class StackError(Exception):
    """CloudFormation refused or failed; the message says what to do."""
