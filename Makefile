# Every target installs what it needs: groups of pinned Python tools into .venv, crates from Cargo.lock.
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
.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# ---- the function ----------------------------------------------------------------------------------

# The one release build: what `sam build` packages, and what every suite runs, is
# target/lambda/$(NAME)/bootstrap.
.PHONY: build
build: .venv/build ## build the release binary, as it is deployed (ARCHITECTURE=arm64 on such a machine)
	@$(PINNED) $(CARGO) lambda build --release --locked --bin $(NAME) $(if $(ARCHITECTURE),--target $(TARGET).2.34)

ARCHITECTURE ?=
TARGET = $(patsubst arm64,aarch64,$(or $(ARCHITECTURE),x86_64))-unknown-linux-gnu

.PHONY: watch-job
watch-job: ## build the terminal watch, target/release/watch-job
	@$(CARGO) build --release --locked --features cli --bin watch-job

# Both programs, built for a first look: no optimization, no linker of its own.
.PHONY: quick-build
quick-build:
	@$(CARGO) build --quiet --locked --profile quick --features terminal --bins

.PHONY: run
run: ## show watches on this machine, from their start to the email, without an account (20 seconds, after the build)
	@$(MAKE) -j 2 .venv/stack quick-build
	@$(PY) -m local.demo

.PHONY: stack
stack: ## start the local stack with the function, and print what to paste next; Ctrl-C stops it
	@$(MAKE) -j 2 .venv/stack quick-build
	@$(PY) -m local.stack

.PHONY: zoho
zoho: .venv/stack ## start the Zoho simulator alone, on port 8600, and print what to paste next
	@$(PY) -m local.zoho_simulator --port 8600

# ---- tests -----------------------------------------------------------------------------------------

REPORTS := target/test
NEXTEST_XML := target/nextest/default/junit.xml

# The last line counts all tests. ALSO: what to make beside the builds.
.PHONY: test
test: ## run every test: Rust, then the suites against the packaged binary
	@rm -rf $(NEXTEST_XML) $(REPORTS)
	@$(MAKE) -j 4 package test-rust .venv/tests $(ALSO)
	@$(PY) -m pytest -n 6 --dist loadfile --no-loadscope-reorder --junit-xml $(REPORTS)/pytest.xml || touch $(REPORTS)/failed
	@$(PY) -m local.gate.count $(NEXTEST_XML) $(REPORTS)/pytest.xml && test ! -e $(REPORTS)/failed

# Beside the package and after it (`nice`): the suites wait for the package, whose last step uses one processor only. A failed
# suite does not keep the others from running.
.PHONY: test-rust
test-rust: build-tests .venv/tests
	@mkdir -p $(REPORTS)
	@$(PINNED) $(CLIPPY) nice $(CARGO) nextest run --locked --all-features --status-level slow --final-status-level slow \
	  || touch $(REPORTS)/failed

# As a compiler, Clippy finds what it finds without a second build of every crate.
CLIPPY := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings

# What nextest runs. Without it, so that the build begins while the tools are being installed.
.PHONY: build-tests
build-tests:
	$(call step,clippy and the build of the tests)
	@$(CLIPPY) nice $(CARGO) test --quiet --locked --all-features --no-run

.PHONY: simulate
simulate: ## a million watches in virtual time: FIRST_SEED=... for others than last time
	@FIRST_SEED=$(or $(FIRST_SEED),1000000) WATCHES=$(or $(WATCHES),1000000) \
	  $(CARGO) test --locked --release --test simulation every_watch -- --nocapture

# ---- the gate --------------------------------------------------------------------------------------

step = @echo "check: $(1)"

.PHONY: check
check: ## run the whole gate: every lint but rustdoc's, and every test
	@$(MAKE) test ALSO=lint-without-build

# With one profile and the same features, the dependencies are checked once for Clippy and rustdoc.
.PHONY: lint
lint: lint-without-build ## run every lint, and no test
	$(call step,clippy)
	@$(CARGO) clippy --quiet --locked --profile test --all-features --all-targets -- -D warnings
	$(call step,rustdoc)
	@RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
	  $(CARGO) doc --quiet --locked --profile test --all-features --no-deps --document-private-items --lib --bins --examples

.PHONY: lint-without-build
lint-without-build: rustfmt lint-python lint-workflows deny secrets

.PHONY: rustfmt
rustfmt:
	$(call step,rustfmt)
	@$(CARGO) fmt --all --check

.PHONY: lint-python
lint-python: .venv/lint
	$(call step,ruff)
	@$(PY) -m ruff format --check --quiet
	@$(PY) -m ruff check --quiet

.PHONY: lint-workflows
lint-workflows: .venv/lint
	$(call step,workflows)
	@$(PINNED) zizmor --offline --quiet .github

ADVISORIES = $(or $(CARGO_HOME),$(HOME)/.cargo)/advisory-dbs

.PHONY: deny
deny: .venv/lint ## check the licenses and sources of the crates, and advisories if their database is here
	$(call step,licenses and sources of the crates)
	@$(PINNED) $(CARGO) deny --log-level error --locked check -D warnings licenses bans sources
	@if test -d "$(ADVISORIES)"; then \
	  $(PINNED) $(CARGO) deny --log-level error --locked --offline check advisories; \
	else \
	  echo "check: advisories NOT CHECKED: no RustSec database on this machine (make advisories downloads it)"; \
	fi

.PHONY: advisories
advisories: .venv/lint ## download the RustSec database and check the crates against it
	@$(PINNED) $(CARGO) deny --locked fetch db
	@$(PINNED) $(CARGO) deny --log-level error --locked check advisories

# The detector of field names is off, because tests and documents are full of them.
.PHONY: secrets
secrets: .venv/lint ## search the tree for credentials
	$(call step,secrets)
	@git ls-files -z --cached --others --exclude-standard ':!*.lock' ':!$(LOCK)' \
	  | $(PINNED) xargs -0 detect-secrets-hook --no-verify --disable-plugin KeywordDetector --base64-limit 4.8 \
	    --plugin local/gate/credentials.py --filter local/gate/credentials.py::is_stand_in

.PHONY: schemas
schemas: ## write the JSON Schemas of requests, reports, errors, and messages into schemas/
	@WRITE_SCHEMAS=1 $(CARGO) test --quiet --locked --all-features --test library schemas

.PHONY: golden
golden: ## write the messages for every way a watch ends into tests/golden
	@WRITE_GOLDEN=1 $(CARGO) test --quiet --locked --all-features --test library messages

.PHONY: fmt
fmt: .venv/lint ## format everything
	@$(CARGO) fmt --all
	@$(PY) -m ruff format --quiet
	@$(PY) -m ruff check --quiet --fix-only

# ---- tools -----------------------------------------------------------------------------------------

LOCK := local/requirements.txt
# The groups of pyproject.toml: stack (170 MB, all that `make run` needs), build, tests, and lint.
GROUPS := stack build tests lint

# uv is in the lock too: pip installs it and checks its hash, and uv installs everything else.
.venv/bin/uv: $(LOCK)
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/--hash/p}' $(LOCK) > .venv/uv.txt
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
	@touch $@

# One group; what it needs of the stack, too. A pin that the lock does not have is an error: `make lock` adds it.
$(GROUPS:%=.venv/%): .venv/%: .venv/bin/uv pyproject.toml $(LOCK)
	@echo "installing the pinned tools into .venv: $*"
	@.venv/bin/uv pip install --quiet --require-hashes --python $(PY) --group stack --group $* -c $(LOCK)
	@touch $@

.PHONY: lock
lock: .venv/bin/uv ## pin the Python tools again, from pyproject.toml
	@UV_PYTHON_DOWNLOADS=never .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command 'make lock' $(GROUPS:%=--group %) --output-file $(LOCK)

# ---- speed -----------------------------------------------------------------------------------------

PEERS := $(CARGO) build --release --locked --package peers

# The peers one after the other: built together, the floor would get the features that the other one asks for.
.PHONY: bench
bench: build .venv/stack ## compare the function with the floor and the obvious Rust: OTHER=path for another build of it
	@$(PEERS) --bin floor
	@$(PEERS) --bin obvious --features obvious
	@$(PY) -m bench.speed $(if $(OTHER),--other $(OTHER))

# ---- release ----------------------------------------------------------------------------------------

DIST := target/dist

.PHONY: release
release: build ## write the release into target/dist: everything, the package, watch-job, checksums
	@$(PINNED) $(CARGO) lambda build --release --locked --features cli --bin watch-job --target $(TARGET).2.17
	@$(PY) -m local.release $(DIST) $(if $(TAG),--tag $(TAG)) $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

# The second build shares nothing with the first one but its directory, which the compiler writes into the binary.
.PHONY: release-check
release-check: release ## build the release a second time and compare it with the first one
	@cp $(DIST)/SHA256SUMS target/first.sha256
	@rm -rf target/lambda target/release target/$(TARGET)
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
verify-aws: package .venv/tests ## deploy a throwaway stack to your account, try everything there, and remove it: needs AWS credentials
	@$(PINNED) $(PY) -m local.verification $(ARGS)

# The recipes see MODULE, JOB_ID and AGAIN as environment variables, which end up in a command line and in JSON.
needs-job = { echo "$$MODULE" | grep -Eqx '[A-Za-z][A-Za-z0-9_]{0,254}' && echo "$$JOB_ID" | grep -Eqx '[0-9]{1,20}' \
  && echo "$${AGAIN:-}" | grep -Eqx '[A-Za-z0-9_-]{0,16}'; } \
  || { echo "Set MODULE to the API name of the module and JOB_ID to the digits of the job ID." >&2; exit 2; }

# The stack's outputs hold the commands whole: what `make` runs is what its reader can copy and paste.
run-output = command="$$(aws cloudformation describe-stacks --stack-name "$(STACK)" --output text \
  --query "Stacks[0].Outputs[?OutputKey=='$(1)'].OutputValue")" && sh -c "$$command"
