"""These tests need LocalStack: without it there is nothing to collect."""

from tests import cloud

if not cloud.IN_LOCALSTACK:
    collect_ignore_glob = ["test_*.py"]
