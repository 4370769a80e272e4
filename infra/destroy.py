"""Remove a stage from AWS, after asking; the table and the keys only if told so."""

import argparse
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import stack
from infra.deploy import DeployError, log_role, run_chalice

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient


def destroy(stage: str, *, with_data: bool) -> None:
    """Remove the Lambdas, the API and the stack of a stage. It may be repeated.

    Raises DeployError, StackError, ClientError, BotoCoreError.
    """
    run_chalice("delete", stage)
    _return_log_role(stage)
    stack.delete(stage, with_data=with_data)


def _return_log_role(stage: str) -> None:
    """Take the stage's role from API Gateway, if it logs with that: the role will be gone.

    The role is one for the account. The next `make deploy` of any stage gives its own.
    """
    client: APIGatewayClient = boto3.client("apigateway")
    if client.get_account().get("cloudwatchRoleArn") == log_role(stage):
        client.update_account(
            patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}]
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make destroy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--data", choices=["keep", "delete"], default="keep")
    arguments = parser.parse_args()
    stage, with_data = arguments.stage, arguments.data == "delete"
    what = "everything, the table and the keys too" if with_data else "all but the table and keys"
    if input(f"This deletes {what}. Type the name of the stage to go on: ") != stage:
        raise SystemExit("Nothing was deleted.")
    try:
        destroy(stage, with_data=with_data)
    except (DeployError, stack.StackError, ClientError, BotoCoreError) as error:
        raise SystemExit(f"{error}\nMend that and run this again.") from error
    print(
        f"{stage} is deleted" + ("." if with_data else f"; table tasks-{stage} and its keys stay.")
    )


if __name__ == "__main__":
    main()
