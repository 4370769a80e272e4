import os
from hypothesis import settings, HealthCheck
from hypothesis.database import DirectoryBasedExampleDatabase
settings.register_profile("tests", deadline=None, max_examples=int(os.environ.get("N", 100)), stateful_step_count=30, database=None, suppress_health_check=[*HealthCheck])
settings.load_profile("tests")
