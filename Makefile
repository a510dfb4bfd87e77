# The commands that people use. What they do lives in scripts/ and xtask/.
TIDEGATE_CACHE ?= $(HOME)/.cache/tidegate
export TIDEGATE_CACHE

.PHONY: build image demo demo-kubernetes test bench bench-kubernetes fuzz compat-matrix kubernetes-up kubernetes-down test-kubernetes test-charts test-ui-upstream ci clean

# target/release/tidegate
build:
	cargo build --release --package tidegate

# target/tidegate.tar: the image of server, worker and command line, static and below 40 MB. IMAGE="--name registry.example/tidegate:1" names it.
image:
	mkdir -p target
	deploy/images/build tidegate --binary "$$(scripts/static-binary)" --output target/tidegate.tar $(IMAGE)

# A server, a worker and a real flow on real data, from nothing to a finished run.
demo: build
	python3 scripts/demo "$(CURDIR)/target/release/tidegate"

# The same on a real Kubernetes: cluster, images, charts, and runs in pods that end well, by exit code, by memory, and never start. As root.
demo-kubernetes:
	python3 scripts/demo-kubernetes "$$(scripts/static-binary)"

# Everything that CI checks, with what it needs set up first.
test:
	scripts/setup
	cargo xtask ci

# Tidegate beside the reference, on this machine: figures and ratios. Takes about half an hour; nothing fails for being slow.
bench:
	cargo run --release --package xtask -- bench $(BENCH)

# How quickly and cheaply runs become Jobs, on the cluster of kubernetes-up with nodes that kwok plays; upstream's worker beside ours. As root.
bench-kubernetes:
	tests/kubernetes/box/box build kubernetes-box kwok
	binary="$$(scripts/static-binary)" && TIDEGATE_BIN="$$binary" "$$(scripts/python-env sdk)" tests/kubernetes/bench/run.py $(BENCH)

# Every operation with what a generator makes of its schema, 20,000 requests and more: no 5xx, and answers that fit.
fuzz: build
	"$$(scripts/python-env fuzz)" tests/fuzz/run.py --binary "$(CURDIR)/target/release/tidegate" $(FUZZ)

# The compatibility scenarios with SDKs 3.0 to 3.8, each in an environment of its own. An hour and more; MATRIX="--sdk 3.4" for one.
compat-matrix: build
	TIDEGATE_BIN="$(CURDIR)/target/release/tidegate" cargo run --release --package xtask -- compat-matrix $(MATRIX)

# A real Kubernetes of one node on loopback. The first time it is built from Go modules: ten minutes. As root.
kubernetes-up:
	tests/kubernetes/box/box up $(KUBERNETES)

kubernetes-down:
	tests/kubernetes/box/box down

# Charts and pods on that cluster, with the image's binary; it is started and ended again if it is not up. KUBERNETES="-k charts" for some of it.
test-kubernetes:
	tests/kubernetes/box/box build kubernetes-box helm kubeconform
	binary="$$(scripts/static-binary)" && TIDEGATE_BIN="$$binary" "$$(scripts/python-env sdk)" -m pytest tests/kubernetes -q -rs -p no:cacheprovider $(KUBERNETES)

# The charts and deploy/ without a cluster: values, refusals, rendered files, Flux's fields.
test-charts:
	tests/kubernetes/box/box build helm
	"$$(scripts/python-env sdk)" -m pytest tests/charts -q -p no:cacheprovider $(CHARTS)

# Every page of upstream's own web UI, unmodified, in Chromium against our server: nothing may fail. UI="--screenshots shots" keeps pictures.
test-ui-upstream: build
	scripts/setup
	node tests/ui-upstream/run.js --binary "$(CURDIR)/target/release/tidegate" --python "$$(scripts/python-env sdk)" $(UI)

ci: test

clean:
	cargo clean
	rm -rf .demo
