# The commands that people use. What they do lives in scripts/ and xtask/.
TIDEGATE_CACHE ?= $(HOME)/.cache/tidegate
export TIDEGATE_CACHE

.PHONY: build demo test bench ci clean

# target/release/tidegate
build:
	cargo build --release --package tidegate

# A server, a worker and a real flow on real data, from nothing to a finished run.
demo: build
	python3 scripts/demo "$(CURDIR)/target/release/tidegate"

# Everything that CI checks, with what it needs set up first.
test:
	scripts/setup
	cargo xtask ci

# Tidegate beside the reference, on this machine: figures and ratios. Takes about twenty minutes; nothing fails for being slow.
bench:
	cargo run --release --package xtask -- bench $(BENCH)

ci: test

clean:
	cargo clean
	rm -rf .demo
