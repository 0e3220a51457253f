# ---- speed -----------------------------------------------------------------------------------------

BENCH_CARGO = $(CARGO) --quiet
BENCH_FLAGS = --locked --manifest-path benches/Cargo.toml --target-dir target/peers
SPEED := target/peers/harness/speed

# One after the other: built together, the floor would be given the features that the other one asks for.
.PHONY: bench-build
bench-build: build .venv/peers/ready
	@$(BENCH_CARGO) build $(BENCH_FLAGS) --profile harness -p speed
	@$(BENCH_CARGO) build $(BENCH_FLAGS) --release -p floor
	@$(BENCH_CARGO) build $(BENCH_FLAGS) --release -p obvious
	@find .venv/peers/lib -name __pycache__ -prune -exec rm -r {} +

.PHONY: bench
bench: bench-build ## measure the function and its peers, into docs/speed.md; 3 min on an idle machine
	@$(SPEED) --write docs/speed.md

.PHONY: bench-check
bench-check: bench-build ## run the function and its peers once: requests and connections as promised
	@$(SPEED) --check

.PHONY: bench-lint
bench-lint:
	@$(CARGO) fmt --check --manifest-path benches/Cargo.toml --all
	@$(CARGO) clippy --quiet $(BENCH_FLAGS) --all-targets -- -D warnings

lint: bench-lint
