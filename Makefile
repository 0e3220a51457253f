# Every target sets up what it needs by itself: pinned Python tools below .venv, crates from Cargo.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .venv/uv/bin/uv --quiet
VENV := .venv/stack
PY := $(VENV)/bin/python

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# ---- tools -----------------------------------------------------------------------------------------

.venv/uv/bin/uv:
	@echo "setting up uv $(UV_VERSION)"
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# One environment per requirements file: stack, sam, checkov.
.venv/%/ready: local/requirements/%.txt .venv/uv/bin/uv
	@echo "setting up .venv/$* (pinned, with hashes)"
	@$(UV) venv --allow-existing --python $(PYTHON) .venv/$*
	@$(UV) pip sync --require-hashes --python .venv/$*/bin/python local/requirements/$*.txt
	@touch $@

.PHONY: lock
lock: .venv/uv/bin/uv ## pin the Python tools anew from local/requirements/*.in
	@for name in stack sam checkov; do \
	  $(UV) pip compile --python-version 3.10 --universal --generate-hashes --no-header --no-emit-index-url \
	    --output-file local/requirements/$$name.txt local/requirements/$$name.in >/dev/null; \
	done
