# Every target sets up what it needs: pinned Python tools in .venv, crates from Cargo.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
CARGO ?= cargo

PY := .venv/bin/python
# Before a command: with the pinned tools, subcommands of cargo among them, instead of those of the machine.
PINNED := PATH="$(CURDIR)/.venv/bin:$$PATH"

NAME := mass-change-owner-status
# The one release build: what `sam build` packages, and what every suite and demonstration runs.
BINARY := target/lambda/$(NAME)/bootstrap

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# ---- the function ----------------------------------------------------------------------------------

.PHONY: build
build: .venv/ready ## the release binary, as it is deployed
	@$(PINNED) $(CARGO) lambda build --release --locked --bin $(NAME)

.PHONY: run
run: build ## see a job being watched to its end, on this machine alone
	@$(PY) -m local.demo

.PHONY: stack
stack: build ## the local stack with the function, for your own experiments; ends with Ctrl-C
	@$(PY) -m local.stack

.PHONY: zoho
zoho: .venv/ready ## the Zoho simulator alone, on port 8600
	@$(PY) -m local.zoho_simulator --port 8600

# ---- tests -----------------------------------------------------------------------------------------

.PHONY: test
test: package ## every test: Rust, then the end-to-end suites against the packaged binary
	@mkdir -p target/test
	@( $(PINNED) $(CARGO) nextest run --locked --no-fail-fast && $(CARGO) test --locked --doc ) 2>&1 | tee target/test/rust.log
	@$(PY) -m pytest -n 4 --dist loadfile --junit-xml target/test/pytest.xml
	@$(PY) -m local.tests_ran target/test/rust.log target/test/pytest.xml

.PHONY: check
check: lint test ## the whole gate: format, lints, every test

.PHONY: lint
lint: .venv/ready ## formatting and lints, Rust and Python
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked --all-targets -- -D warnings
	@$(PY) -m ruff format --check --quiet local tests bench
	@$(PY) -m ruff check --quiet local tests bench

.PHONY: fmt
fmt: .venv/ready ## format everything
	@$(CARGO) fmt
	@$(PY) -m ruff format --quiet local tests bench
	@$(PY) -m ruff check --quiet --fix-only local tests bench

# ---- tools -----------------------------------------------------------------------------------------

LOCK := local/requirements.txt

# uv stands in the lock with all the rest: pip installs it, checked by its hash, and it installs everything else.
.venv/ready: $(LOCK)
	@echo "installing the pinned tools into .venv"
	@test -x .venv/bin/uv || { \
	  $(PYTHON) -m venv .venv; \
	  sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/--hash/p}' $(LOCK) > .venv/uv.txt; \
	  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt; }
	@.venv/bin/uv pip sync --quiet --require-hashes --python $(PY) $(LOCK)
	@touch $@

.PHONY: lock
lock: .venv/ready ## pin the Python tools anew from pyproject.toml
	@UV_PYTHON_DOWNLOADS=never .venv/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
	  --no-emit-index-url --custom-compile-command 'make lock' \
	  $(addprefix --group ,tools stack tests peers) --output-file $(LOCK)

# ---- speed -----------------------------------------------------------------------------------------

BENCH_CARGO = $(CARGO) --quiet
BENCH_FLAGS = --locked --manifest-path bench/Cargo.toml --target-dir target/peers
SPEED := target/peers/harness/speed

# One after the other: built together, the floor would be given the features that the other one asks for.
.PHONY: bench-build
bench-build: build
	@$(BENCH_CARGO) build $(BENCH_FLAGS) --profile harness -p speed
	@$(BENCH_CARGO) build $(BENCH_FLAGS) --release -p floor
	@$(BENCH_CARGO) build $(BENCH_FLAGS) --release -p obvious

# A Python function on Lambda has no bytecode of its packages.
.PHONY: bench
bench: bench-build ## measure the function and its peers, into docs/speed.md; 3 min on an idle machine
	@find .venv/lib -name __pycache__ -prune -exec rm -r {} +
	@$(SPEED) --write docs/speed.md

.PHONY: bench-check
bench-check: bench-build ## run the function and its peers once: requests and connections as promised
	@$(SPEED) --check

.PHONY: bench-lint
bench-lint:
	@$(CARGO) fmt --check --manifest-path bench/Cargo.toml --all
	@$(CARGO) clippy --quiet $(BENCH_FLAGS) --all-targets -- -D warnings

# ---- deployment: needs an account, and the AWS CLI with its credentials ------------------------------

STACK ?= $(NAME)

.PHONY: package
package: build ## the deployment package, in .aws-sam
	@$(PINNED) SAM_CLI_TELEMETRY=0 sam build

.PHONY: watch
watch: ## watch a job: MODULE=Leads JOB_ID=... [STACK=...]
	@$(call needs-job) && $(call run-output,WatchCommand)

.PHONY: watch-schedule
watch-schedule: ## the same by a schedule, without a state machine
	@$(call needs-job) && $(call run-output,WatchScheduleCommand)

.PHONY: watch-many
watch-many: ## watch a list of jobs: JOBS=file.json [STACK=...]
	@test -r "$$JOBS" || { echo "give JOBS=file.json, a list of {\"module\": ..., \"job_id\": ...}" >&2; exit 2; }
	@$(call run-output,WatchManyCommand)

# The recipes see MODULE, JOB_ID and JOBS as environment variables; the first two end up in a command line and in JSON.
needs-job = { echo "$$MODULE" | grep -Eqx '[A-Za-z][A-Za-z0-9_]{0,254}' && echo "$$JOB_ID" | grep -Eqx '[0-9]{1,20}'; } \
  || { echo "give MODULE=<the module's API name> JOB_ID=<the job's digits>" >&2; exit 2; }

# The stack's outputs hold the commands whole: what `make` runs is what its reader can copy and paste.
run-output = command="$$(aws cloudformation describe-stacks --stack-name "$(STACK)" --output text \
  --query "Stacks[0].Outputs[?OutputKey=='$(1)'].OutputValue")" && sh -c "$$command"
