# Every target sets up what it needs by itself: pinned Python tools below .venv, crates from Cargo.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
CARGO ?= cargo
UV_VERSION := 0.13.9
UV := .venv/uv/bin/uv --quiet
VENV := .venv/stack
PY := $(VENV)/bin/python

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# ---- the function ----------------------------------------------------------------------------------

.PHONY: build
build: ## the release binary: target/release/mass-change-owner-status
	@$(CARGO) build --release --locked

.PHONY: run
run: build $(VENV)/ready ## see a job being watched to its end, on this machine alone
	@$(PY) -m local.demo

.PHONY: stack
stack: build $(VENV)/ready ## the local stack with the function, for your own experiments; ends with Ctrl-C
	@$(PY) -m local.stack

.PHONY: zoho
zoho: $(VENV)/ready ## the Zoho simulator alone, on port 8600
	@$(PY) -m local.zoho --port 8600

# ---- tests -----------------------------------------------------------------------------------------

# nextest is quicker, but runs no examples of the documentation; a machine without it loses nothing.
ifneq ($(shell command -v cargo-nextest),)
RUST_TESTS = $(CARGO) nextest run --locked --no-fail-fast && $(CARGO) test --locked --doc
else
RUST_TESTS = $(CARGO) test --locked --no-fail-fast
endif

.PHONY: test
test: build $(VENV)/ready ## every test: Rust, then the end-to-end suites against the release binary
	@mkdir -p target/test
	@( $(RUST_TESTS) ) 2>&1 | tee target/test/rust.log
	@$(PY) -m pytest --junit-xml target/test/pytest.xml
	@$(PY) -m local.tests_ran target/test/rust.log target/test/pytest.xml

.PHONY: check
check: lint test ## the whole gate: format, lints, every test

.PHONY: lint
lint: $(VENV)/ready ## formatting and lints, Rust and Python
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked --all-targets -- -D warnings
	@$(PY) -m ruff format --check --quiet local tests benches
	@$(PY) -m ruff check --quiet local tests benches

.PHONY: fmt
fmt: $(VENV)/ready ## format everything
	@$(CARGO) fmt
	@$(PY) -m ruff format --quiet local tests benches
	@$(PY) -m ruff check --quiet --fix-only local tests benches

# ---- tools -----------------------------------------------------------------------------------------

.venv/uv/bin/uv:
	@echo "setting up uv $(UV_VERSION)"
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# One environment per requirements file: stack, sam, checkov, peers.
.venv/%/ready: local/requirements/%.txt .venv/uv/bin/uv
	@echo "setting up .venv/$* (pinned, with hashes)"
	@$(UV) venv --allow-existing --python $(PYTHON) .venv/$*
	@$(UV) pip sync --require-hashes --python .venv/$*/bin/python local/requirements/$*.txt
	@touch $@

.PHONY: lock
lock: .venv/uv/bin/uv ## pin the Python tools anew from local/requirements/*.in
	@for name in stack sam checkov peers; do \
	  $(UV) pip compile --python-version 3.10 --universal --generate-hashes --no-header --no-emit-index-url \
	    --output-file local/requirements/$$name.txt local/requirements/$$name.in >/dev/null; \
	done

-include make/*.mk
