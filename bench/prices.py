"""What AWS charges: list prices of us-east-1 before free tiers, each with its source.

docs/scaling.md is computed with these.
"""

from typing import NamedTuple

#: When they were looked up.
LOOKED_UP = "2026-11-25"
#: In a month of 30 days.
HOURS = 720
SECONDS = HOURS * 3600


class Price(NamedTuple):
    dollars: float
    #: What it is charged for.
    per: str
    #: None: from memory.
    source: str | None = None


_FARGATE = "https://www.vantage.sh/blog/fargate-pricing"
_LAMBDA = "https://cloudchipr.com/blog/aws-lambda-pricing"
_SQS = "https://cloudburn.io/blog/amazon-sqs-pricing"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/"
_RDS = "https://infratally.com/articles/aws-rds-pricing-explained-2026.html"
_RDS_STORAGE = "https://www.usage.ai/blogs/aws/reserved-instances/rds/pricing-calculator/"
_ALB = "https://awsnegotiations.com/elastic-load-balancer-cost.html"
_SCHEDULER = "https://cloudburn.io/blog/amazon-eventbridge-pricing"
_LOGS = (
    "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/"
)

MILLION_REQUESTS = "million requests"
HOUR = "hour"

API_GATEWAY = Price(
    3.50,
    MILLION_REQUESTS,
    "https://docs.aws.amazon.com/whitepapers/latest/best-practices-api-gateway-private-apis-integration/cost-optimization.html",
)
#: The same beyond this many million requests per month.
API_GATEWAY_TIERS = ((0, API_GATEWAY.dollars), (333, 2.80), (1_000, 2.38), (20_000, 1.51))
LAMBDA_REQUESTS = Price(0.20, MILLION_REQUESTS, _LAMBDA)
LAMBDA_ARM = Price(0.0000133334, "GB-second", _LAMBDA)
SQS = Price(0.40, MILLION_REQUESTS, _SQS)
SQS_FAIR = Price(0.10, "million requests more, in fair queues", _SQS)
WRITES = Price(0.625, "million write units", _DYNAMODB)
READS = Price(0.125, "million read units", _DYNAMODB)
STORAGE = Price(0.25, "GB-month", _DYNAMODB)
BACKUP = Price(0.20, "GB-month of point-in-time recovery")
SCHEDULES = Price(1.00, "million invocations", _SCHEDULER)
LOGS = Price(0.50, "GB", _LOGS)

FARGATE_CPU = Price(0.03238, "vCPU-hour, arm64", _FARGATE)
FARGATE_MEMORY = Price(0.00356, "GB-hour, arm64", _FARGATE)
LOAD_BALANCER = Price(0.0225, HOUR, _ALB)
LCU = Price(0.008, "LCU-hour; 25 new connections per second", _ALB)
#: PostgreSQL, Multi-AZ: twice the price of a single instance.
DATABASES = {
    "db.t4g.medium": Price(0.130, HOUR, _RDS),
    "db.m7g.large": Price(0.336, HOUR),
    "db.m7g.2xlarge": Price(1.348, HOUR),
}
#: Twice the price of a single instance's, too.
DATABASE_STORAGE = Price(0.23, "GB-month of gp3, Multi-AZ", _RDS_STORAGE)
#: Redis OSS or Valkey, per node.
CACHES = {
    "cache.t4g.small": Price(0.032, HOUR),
    "cache.m7g.large": Price(0.158, HOUR),
}

#: All of them, as docs/scaling.md lists them.
NAMED = {
    "API Gateway, REST": API_GATEWAY,
    "Lambda, requests": LAMBDA_REQUESTS,
    "Lambda, arm64": LAMBDA_ARM,
    "SQS": SQS,
    "SQS, fair queues": SQS_FAIR,
    "DynamoDB, writes": WRITES,
    "DynamoDB, reads": READS,
    "DynamoDB, storage": STORAGE,
    "DynamoDB, backup": BACKUP,
    "EventBridge Scheduler": SCHEDULES,
    "CloudWatch Logs": LOGS,
    "Fargate, CPU": FARGATE_CPU,
    "Fargate, memory": FARGATE_MEMORY,
    "load balancer": LOAD_BALANCER,
    "load balancer, load": LCU,
    **{f"RDS {name}": price for name, price in DATABASES.items()},
    "RDS, storage": DATABASE_STORAGE,
    **{f"ElastiCache {name}": price for name, price in CACHES.items()},
}
