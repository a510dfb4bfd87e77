# The commands that people use. What they do lives in scripts/ and xtask/.
TIDEGATE_CACHE ?= $(HOME)/.cache/tidegate
export TIDEGATE_CACHE

.PHONY: build demo test bench fuzz compat-matrix ci clean

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

# Tidegate beside the reference, on this machine: figures and ratios. Takes about half an hour; nothing fails for being slow.
bench:
	cargo run --release --package xtask -- bench $(BENCH)

# Every operation with what a generator makes of its schema, 20,000 requests and more: no 5xx, and answers that fit.
fuzz: build
	"$$(scripts/python-env fuzz)" tests/fuzz/run.py --binary "$(CURDIR)/target/release/tidegate" $(FUZZ)

# The compatibility scenarios with SDKs 3.0 to 3.8, each in an environment of its own. An hour and more; MATRIX="--sdk 3.4" for one.
compat-matrix: build
	TIDEGATE_BIN="$(CURDIR)/target/release/tidegate" cargo run --release --package xtask -- compat-matrix $(MATRIX)

ci: test

clean:
	cargo clean
	rm -rf .demo
