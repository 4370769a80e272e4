# `make` lists the commands; README.md explains them.

# The Lambdas get the Python that deploys them: 3.13, where there is one, in a virtual environment
# of its own. Set PYTHON or VENV to choose another.
LAMBDA := bench-cold deploy deploy-package destroy package
ifneq ($(filter $(LAMBDA),$(MAKECMDGOALS)),)
ifeq ($(origin PYTHON)$(origin VENV),undefinedundefined)
PYTHON_3_13 := $(shell infra/find-python-3.13)
ifneq ($(PYTHON_3_13),)
PYTHON := $(PYTHON_3_13)
VENV   := .venv-3.13
endif
endif
endif

PYTHON ?= python3
VENV   ?= .venv
CLOUD  ?= embedded
PORT   ?= 8000
DATA   ?= keep
# This machine's, as Lambda calls it.
ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
COVERAGE ?= --cov
UNREACHABLE ?= fail
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
READY  := $(VENV)/ready
CAN_RUN := $(VENV)/can-run

.DEFAULT_GOAL := help
.PHONY: bench bench-calls bench-cold bench-cpu bench-growth bench-peer scaling check reliability-report test-faults localstack test-localstack test-localstack-host
.PHONY: help install run pictures test test-unit test-servers test-model test-long lint format lock clean deploy deploy-package destroy package policies probe redrive

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

install: $(READY) ## create the virtual environment

$(CAN_RUN): requirements-run.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "This needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.13 ..."; exit 1; }
	@echo "Creating the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing what running needs ..."
	@# The list is complete. What is imported is compiled then; the rest never needs to be.
	@$(PIP) --no-deps --no-compile -r requirements-run.txt
	@# The Lambdas' package contains exactly what requirements.txt lists: Lambda provides the
	@# botocore that PynamoDB needs. This also applies to plain `chalice deploy`.
	@printf '[download]\nno-deps = true\n' > $(VENV)/pip.conf
	@touch $@

$(READY): requirements-dev.txt $(CAN_RUN)
	@echo "Installing what developing and testing need ..."
	@$(PIP) --no-deps -r requirements-dev.txt
	@touch $@

run: $(CAN_RUN) ## run the service on this machine (CLOUD=embedded|localstack|<url>, PORT=8000)
	@$(BIN)/python -m infra.local --cloud $(CLOUD) --port $(PORT)

test: lint test-unit ## run linters, the type checker and all tests that need no Docker
	@$(MAKE) --no-print-directory --jobs=2 test-servers test-beside

# Tests with servers wait half of the time. Those that only compute run beside them, yield to them,
# and print what they have to say at their end.
.PHONY: test-beside
test-beside: $(READY)
	@mkdir -p build
	@{ nice -n 19 $(MAKE) --no-print-directory test-faults && \
		nice -n 19 $(MAKE) --no-print-directory test-model; } >build/test-beside.log 2>&1; \
		status=$$?; cat build/test-beside.log; exit $$status

test-unit: $(READY) ## run only the tests that need no server, with branch coverage
	$(BIN)/python -m pytest -n auto tests/unit tests/integration $(COVERAGE)

test-faults: $(READY) ## let every AWS call of every use case go wrong, and whole services
	$(BIN)/python -m pytest -n auto tests/faults

# The longest comes first: of single tests, xdist would begin with the other files.
test-servers: $(READY) ## run only the tests that start servers and browsers
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
		tests/e2e/test_faulty_aws.py tests/e2e tests/deploy tests/browser

reliability-report: test-faults ## do that and write the numbers into docs/reliability.md
	$(BIN)/python -m tests.faults.document

test-model: $(READY) ## compare the service with a model of it, in 200 random histories
	$(BIN)/python -m pytest -n 2 tests/model

test-long: $(READY) ## the same for hours, with other histories each time
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n auto tests/model tests/unit/test_exact_json.py \
		tests/unit/test_times.py tests/integration/test_list_walks.py

pictures: $(READY) ## take the console's pictures for the READMEs again: docs/images/
	PICTURES=docs/images $(BIN)/python -m pytest tests/browser/test_pictures.py

bench-calls: $(READY) ## print what each operation costs in AWS calls and DynamoDB units
	@POWERTOOLS_LOG_LEVEL=CRITICAL POWERTOOLS_METRICS_DISABLED=true \
		$(BIN)/python -m pytest -q -s tests/integration/test_costs.py

bench-growth: $(READY) ## print what requests cost a user of 10, 1,000 and 100,000 tasks
	@GROWTH=100000 POWERTOOLS_LOG_LEVEL=CRITICAL POWERTOOLS_METRICS_DISABLED=true \
		$(BIN)/python -m pytest -q -s tests/integration/test_growth.py

bench-cpu: $(READY) ## print the CPU time of each route and of a run: ours, libraries, botocore
	@$(BIN)/python -m bench.cpu

scaling: $(READY) ## compute the tables and the picture of docs/scaling.md again
	@$(BIN)/python -m bench.scaling

bench-peer: $(READY) ## measure `make run` beside another service of the same contract: PEER=folder
	@test -n "$(PEER)" || { echo "Name the folder of the peer: make bench-peer PEER=..."; exit 1; }
	@$(BIN)/python -m bench.peer $(PEER)

bench: $(READY) ## measure a running service and compare: URL=http://localhost:8000
	@$(BIN)/python bench/tasks.py $(if $(URL),--url $(URL))

bench-cold: $(READY) ## measure the cold start of each Lambda, from the real package
	@$(BIN)/python -m infra.package --stage dev --out build/cold --architecture $(ARCHITECTURE)
	@$(BIN)/python -m bench.cold build/cold/deployment.zip $(if $(ROUNDS),--rounds $(ROUNDS))

deploy: $(READY) stage ## deploy to AWS: STAGE=dev|prod; URL= of a custom domain, ALARM_EMAIL=, ALLOW=
	@$(BIN)/python -m infra.deploy --stage $(STAGE) $(OPTIONS)

deploy-package: $(READY) stage ## deploy the package instead: also BUCKET= for the code
	@test -n "$(BUCKET)" || { echo "Name an S3 bucket for the code: BUCKET=..."; exit 1; }
	@$(BIN)/python -m infra.package_stack --stage $(STAGE) --out build/$(STAGE) --bucket $(BUCKET) $(OPTIONS)

OPTIONS = $(if $(URL),--url $(URL)) $(if $(ALARM_EMAIL),--alarm-email $(ALARM_EMAIL)) \
	$(if $(ALLOW),--allow $(ALLOW)) $(if $(QUICK),--quick)

destroy: $(READY) stage ## delete a stage from AWS; DATA=delete also deletes the table and keys
	@$(BIN)/python -m infra.destroy --stage $(STAGE) --data $(DATA)

localstack: $(READY) ## start LocalStack in Docker and create the stack in it
	@$(BIN)/python -m infra.local.localstack up

# What a stranger or the client sends, and faults made in front of the AWS, are the same in every
# cloud.
ONE_CLOUD := tests/integration/hostile tests/integration/client \
	tests/integration/test_deadline.py tests/e2e/test_schemathesis.py tests/e2e/test_faulty_aws.py \
	tests/e2e/test_killed_workers.py

test-localstack: $(READY) ## run the tests on a running LocalStack
	TEST_CLOUD=localstack $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
		tests/e2e tests/localstack tests/integration \
		$(addprefix --ignore=,$(ONE_CLOUD))

test-localstack-host: $(READY) ## run them without Docker: needs Java 17 and npm
	@$(BIN)/python -m infra.local.localstack host -- $(MAKE) --no-print-directory test-localstack

package: $(READY) stage ## write a CloudFormation package to build/STAGE/
	@$(BIN)/python -m infra.package --stage $(STAGE) --out build/$(STAGE)

probe: $(READY) ## compare a running service with what is expected of AWS: URL=https://...
	@test -n "$(URL)" || { echo "Name the service: make probe URL=https://..."; exit 1; }
	@$(BIN)/python -m infra.probe --url $(URL) $(if $(QUICK),--quick)

redrive: $(READY) stage ## send the dead letters of a stage again
	@$(BIN)/python -m infra.redrive --stage $(STAGE)

.PHONY: stage
stage:
	@test -n "$(STAGE)" || { echo "Name the stage: make $(firstword $(MAKECMDGOALS)) STAGE=dev"; exit 1; }

policies: $(READY) ## record the AWS rights that the integration tests need as policies
	RECORD_RIGHTS=1 $(BIN)/python -m pytest -n auto tests/integration
	$(BIN)/python -m infra.policies

lint: $(READY) ## check style, types, layers and the template
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cfn-lint infra/resources.yaml

check: $(READY) ## look for insecure code and for known vulnerabilities of the dependencies
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app.py chalicelib infra
	@$(BIN)/python -m infra.audit --unreachable $(UNREACHABLE)

format: $(READY) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## pin all requirements again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' -o requirements-dev.txt requirements-dev.in
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' --constraint requirements-dev.txt \
		-o requirements-run.txt requirements-run.in
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate \
		--custom-compile-command 'make lock' --constraint requirements-dev.txt \
		$(addprefix --no-emit-package ,botocore jmespath python-dateutil six urllib3) \
		-o requirements.txt requirements.in
	uv pip compile --quiet --python-platform linux --python-version 3.13 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' -o requirements-localstack.txt requirements-localstack.in
	uv pip compile --quiet --python-platform linux --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' -o requirements-localstack-3.11.txt requirements-localstack-3.11.in

clean: ## remove everything that can be rebuilt; keeps the data in .local/
	rm -rf .venv .venv-* .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .deploy build
	find . -name __pycache__ -prune -exec rm -rf {} +
