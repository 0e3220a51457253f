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
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# ---- the function ----------------------------------------------------------------------------------

.PHONY: build
build: .venv/ready ## build the release binary, as it is deployed
	@$(PINNED) $(CARGO) lambda build --release --locked --bin $(NAME)

.PHONY: watch-job
watch-job: ## build the terminal watch, target/release/watch-job
	@$(CARGO) build --release --locked --features cli --bin watch-job

.PHONY: run
run: .venv/ready ## watch a simulated job from its start to the email, without an account
	@$(MAKE) -j 2 build watch-job-for-a-demo
	@$(PY) -m local.demo

# Fast to build, unlike the one to install.
.PHONY: watch-job-for-a-demo
watch-job-for-a-demo:
	@$(CARGO) build --quiet --locked --features cli --bin watch-job

.PHONY: stack
stack: build ## start the local stack with the function, for experiments; Ctrl-C stops it
	@$(PY) -m local.stack

.PHONY: zoho
zoho: .venv/ready ## start the Zoho simulator alone, on port 8600
	@$(PY) -m local.zoho_simulator --port 8600

# ---- tests -----------------------------------------------------------------------------------------

REPORTS := target/test
NEXTEST_XML := target/nextest/default/junit.xml

# The last line counts all tests.
.PHONY: test
test: ## run every test: Rust, then the suites against the packaged binary
	@rm -rf $(NEXTEST_XML) $(REPORTS)
	@$(MAKE) -j 3 package test-rust
	@$(PY) -m pytest -n 4 --dist loadfile --junit-xml $(REPORTS)/pytest.xml || touch $(REPORTS)/failed
	@$(PY) -m local.gate.tests_ran $(NEXTEST_XML) $(REPORTS)/doc.log $(REPORTS)/pytest.xml && test ! -e $(REPORTS)/failed

# Next to the package, whose last step uses one processor only. A failed suite does not keep the others from running.
.PHONY: test-rust
test-rust: build-tests .venv/ready
	@mkdir -p $(REPORTS)
	@$(PINNED) $(CARGO) nextest run --locked --all-features --status-level slow --final-status-level slow \
	  || touch $(REPORTS)/failed
	@$(CARGO) test --quiet --locked --all-features --doc 2>&1 | tee $(REPORTS)/doc.log || touch $(REPORTS)/failed

# What nextest runs. Without it, so that the build begins while the tools are being installed.
.PHONY: build-tests
build-tests:
	@$(CARGO) test --quiet --locked --all-features --no-run

.PHONY: simulate
simulate: ## a million watches in virtual time: FIRST_SEED=... for others than last time
	@FIRST_SEED=$(or $(FIRST_SEED),1000000) WATCHES=$(or $(WATCHES),1000000) \
	  $(CARGO) test --locked --release --test simulation -- --nocapture

.PHONY: fuzz
fuzz: ## ten million executions of each fuzz target
	@FUZZ_EXECUTIONS=$(or $(FUZZ_EXECUTIONS),10000000) $(CARGO) test --locked --release --test fuzz -- --nocapture

.PHONY: simulation-mutants
simulation-mutants: ## show that the simulation notices broken rules: docs/simulation.md
	@$(PYTHON) tests/simulation/mutants.py

target/tools/bin/cargo-mutants:
	@$(CARGO) install --quiet --locked --version 27.1.0 --root target/tools cargo-mutants

MUTANTS := PATH="$(CURDIR)/target/tools/bin:$$PATH" $(CARGO) mutants -o target

# First the tests next to the code, which are fast, then more of them for what survives (exit status 2).
.PHONY: mutants
mutants: target/tools/bin/cargo-mutants ## break the core in every way, for hours: docs/mutation-testing.md
	@$(MUTANTS) -- --locked --lib || test $$? = 2
	@$(MUTANTS) --iterate -- --locked --lib --test token_sharing --test zoho_api --test robustness --test pacing --test messages

.PHONY: faults
faults: build ## every cell of the fault matrix, and all of the endurance test
	@ALL_FAULTS=1 $(PY) -m pytest -n 4 --dist loadfile tests/faults tests/e2e/test_tls.py tests/e2e/test_endurance.py

.PHONY: fault-matrix
fault-matrix: .venv/ready ## generate docs/fault-matrix.md
	@$(PY) -m tests.faults.document

# ---- the gate --------------------------------------------------------------------------------------

step = @echo "check: $(1)"

# Three lanes with a build directory each: one builder alone leaves a processor idle while it links.
.PHONY: check
check: ## run the whole gate: every lint, then every test
	@$(MAKE) -j 3 package lint-rust-then-build-tests lint-all-else
	@$(MAKE) bench-check
	@$(MAKE) test

.PHONY: lint
lint: lint-rust lint-all-else ## run the gate without its tests

.PHONY: lint-rust-then-build-tests
lint-rust-then-build-tests: lint-rust
	$(call step,build of the tests)
	@$(MAKE) build-tests

.PHONY: lint-all-else
lint-all-else: lint-python deny msrv secrets bench-lint bench-harness

# With --examples, rustdoc needs the dependencies with the same features as clippy: they are checked once.
.PHONY: lint-rust
lint-rust:
	$(call step,rustfmt)
	@$(CARGO) fmt --check
	$(call step,clippy)
	@$(CARGO) clippy --quiet --locked --all-features --all-targets -- -D warnings
	$(call step,rustdoc)
	@RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
	  $(CARGO) doc --quiet --locked --all-features --no-deps --document-private-items --lib --bins --examples

.PHONY: lint-python
lint-python: .venv/ready
	$(call step,ruff)
	@$(PY) -m ruff format --check --quiet local tests bench
	@$(PY) -m ruff check --quiet local tests bench
	$(call step,pins of the Python tools)
	@$(PY) -m local.gate.lock

ADVISORIES = $(or $(CARGO_HOME),$(HOME)/.cargo)/advisory-dbs

.PHONY: deny
deny: .venv/ready ## check the licenses and sources of the crates, and advisories if their database is here
	$(call step,licenses and sources of the crates)
	@$(PINNED) $(CARGO) deny --log-level error --locked check -D warnings licenses bans sources
	@if test -d "$(ADVISORIES)"; then \
	  $(PINNED) $(CARGO) deny --log-level error --locked --offline check advisories; \
	else \
	  echo "check: advisories NOT CHECKED: no RustSec database on this machine (make advisories downloads it)"; \
	fi

.PHONY: advisories
advisories: .venv/ready ## download the RustSec database and check the crates against it
	@$(PINNED) $(CARGO) deny --locked fetch db
	@$(PINNED) $(CARGO) deny --log-level error --locked check advisories

.PHONY: msrv
msrv: .venv/ready ## check that no crate needs a newer Rust than Cargo.toml declares
	$(call step,rust-version)
	@$(PY) -m local.gate.msrv

# The detector of field names is off, because tests and documents are full of them.
.PHONY: secrets
secrets: .venv/ready ## search the tree for credentials
	$(call step,secrets)
	@git ls-files -z --cached --others --exclude-standard ':!*.lock' ':!*package-lock.json' ':!$(LOCK)' \
	  | $(PINNED) xargs -0 detect-secrets-hook --no-verify --disable-plugin KeywordDetector --base64-limit 4.8 \
	    --plugin local/gate/credentials.py --filter local/gate/credentials.py::is_stand_in

.PHONY: sbom
sbom: .venv/ready ## list what the binary is made of, as CycloneDX: target/sbom.cdx.json
	@mkdir -p target
	@$(PY) -m local.gate.sbom target/sbom.cdx.json

.PHONY: schemas
schemas: ## write the JSON Schemas of requests, reports, errors, and messages into schemas/
	@WRITE_SCHEMAS=1 $(CARGO) test --quiet --locked --all-features --test schemas

.PHONY: golden
golden: ## write the messages for every way a watch ends into tests/golden
	@WRITE_GOLDEN=1 $(CARGO) test --quiet --locked --all-features --test messages

.PHONY: dashboard-picture
dashboard-picture: build ## write docs/dashboard.svg from a run on the local stack (a minute and a half)
	@$(PY) -m local.dashboard

.PHONY: fmt
fmt: .venv/ready ## format everything
	@$(CARGO) fmt
	@$(CARGO) fmt --manifest-path bench/Cargo.toml --all
	@$(PY) -m ruff format --quiet local tests bench
	@$(PY) -m ruff check --quiet --fix-only local tests bench

# ---- tools -----------------------------------------------------------------------------------------

LOCK := local/requirements.txt

# uv is in the lock too: pip installs it and checks its hash, and uv installs everything else.
.venv/ready: $(LOCK)
	@echo "installing the pinned tools into .venv"
	@test -x .venv/bin/uv || { \
	  $(PYTHON) -m venv .venv; \
	  sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/--hash/p}' $(LOCK) > .venv/uv.txt; \
	  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt; }
	@.venv/bin/uv pip sync --quiet --require-hashes --python $(PY) $(LOCK)
	@touch $@

.PHONY: lock
lock: .venv/ready ## pin the Python tools again, from pyproject.toml
	@UV_PYTHON_DOWNLOADS=never .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command 'make lock' \
	  $(addprefix --group ,tools stack tests peers) --output-file $(LOCK)

# ---- speed -----------------------------------------------------------------------------------------

BENCH_FLAGS := --quiet --locked --manifest-path bench/Cargo.toml --target-dir target/peers
SPEED := target/peers/harness/speed

.PHONY: bench-harness
bench-harness:
	@$(CARGO) build $(BENCH_FLAGS) --profile harness -p speed

# The peers in Rust one after the other: built together, the floor would get the features that the other one asks for.
# Without the bytecode of earlier runs, because a Python function on Lambda has none for its packages.
.PHONY: bench
bench: build bench-harness ## measure the function and its peers, and write docs/speed.md (3 min on an idle machine)
	@$(CARGO) build $(BENCH_FLAGS) --release -p floor
	@$(CARGO) build $(BENCH_FLAGS) --release -p obvious
	@$(SPEED) --check
	@find .venv/lib -name __pycache__ -prune -exec rm -r {} +
	@$(SPEED) --write docs/speed.md

.PHONY: bench-check
bench-check: build bench-harness ## count the requests and connections of the function and its Python peers
	$(call step,requests and connections)
	@$(SPEED) --check

.PHONY: bench-lint
bench-lint:
	$(call step,rustfmt and clippy of bench)
	@$(CARGO) fmt --check --manifest-path bench/Cargo.toml --all
	@$(CARGO) clippy $(BENCH_FLAGS) -p speed --all-targets -- -D warnings

# ---- release ----------------------------------------------------------------------------------------

DIST := target/dist

.PHONY: release
release: build sbom ## write the release into target/dist: package, template, snippets, SBOM, checksums
	@$(PY) -m local.release $(DIST) --sbom target/sbom.cdx.json $(if $(TAG),--tag $(TAG))

# The second build shares nothing with the first one but its directory, which the compiler writes into the binary.
.PHONY: release-check
release-check: release ## build the release a second time and compare it with the first one
	@cp $(DIST)/SHA256SUMS target/first.sha256
	@rm -rf target/lambda target/release target/x86_64-unknown-linux-gnu/release
	@$(MAKE) release
	@cmp target/first.sha256 $(DIST)/SHA256SUMS && echo "two builds, one hash"

# ---- deployment: needs an account, and the AWS CLI with its credentials ------------------------------

STACK ?= $(NAME)

.PHONY: package
package: build ## build the deployment package, in .aws-sam
	@$(PINNED) SAM_CLI_TELEMETRY=0 sam build > /dev/null

.PHONY: watch
watch: ## watch a job: MODULE=Leads JOB_ID=... [AGAIN=1] [STACK=...]
	@$(call needs-job) && $(call run-output,WatchCommand) \
	  || { echo "If this job was watched before, add AGAIN=1 (next time, another number)." >&2; exit 1; }

.PHONY: watch-schedule
watch-schedule: ## the same with a schedule instead of a state machine
	@$(call needs-job) && $(call run-output,WatchScheduleCommand)

.PHONY: watch-many
watch-many: ## watch a list of jobs: JOBS=file.json or JOBS=s3://bucket/key [NOTIFY_EACH=false] [STACK=...]
	@echo "$${NOTIFY_EACH:-true}" | grep -Eqx 'true|false' || { echo "NOTIFY_EACH must be true or false." >&2; exit 2; }
	@case "$${JOBS:-}" in \
	  s3://?*/?*) BUCKET="$${JOBS#s3://}"; KEY="$${BUCKET#*/}"; export BUCKET="$${BUCKET%%/*}" KEY; \
	    $(call run-output,WatchManyFromS3Command) ;; \
	  *) test -r "$${JOBS:-}" || { echo "Set JOBS to a readable file or to s3://bucket/key, with a list of jobs." >&2; exit 2; }; \
	    $(call run-output,WatchManyCommand) ;; \
	esac

.PHONY: verify-aws
verify-aws: package ## deploy a throwaway stack to your account, try everything there, and remove it: needs AWS credentials
	@$(PINNED) $(PY) -m local.verification $(ARGS)

# The recipes see MODULE, JOB_ID and AGAIN as environment variables, which end up in a command line and in JSON.
needs-job = { echo "$$MODULE" | grep -Eqx '[A-Za-z][A-Za-z0-9_]{0,254}' && echo "$$JOB_ID" | grep -Eqx '[0-9]{1,20}' \
  && echo "$${AGAIN:-}" | grep -Eqx '[A-Za-z0-9_-]{0,16}'; } \
  || { echo "Set MODULE to the API name of the module and JOB_ID to the digits of the job ID." >&2; exit 2; }

# The stack's outputs hold the commands whole: what `make` runs is what its reader can copy and paste.
run-output = command="$$(aws cloudformation describe-stacks --stack-name "$(STACK)" --output text \
  --query "Stacks[0].Outputs[?OutputKey=='$(1)'].OutputValue")" && sh -c "$$command"
