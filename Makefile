# xds-server. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCKER ?= docker
IMAGE ?= localhost/xds-server:latest

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types imports format bench bench-cluster e2e e2e-tools conformance golden docs protos image deploy-manifests clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xds-server needs Python 3.11 or newer; name one with PYTHON=python3.12 make ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local,dev]'
	@touch $@

setup: $(STAMP) ## make .venv and install the project with real Envoy and the development tools

run: $(STAMP) ## serve the example of examples/istio-task with a real Envoy and an echo backend; Ctrl-C ends it
	@exec $(BIN)/xds-server run examples/istio-task --echo 127.0.0.1:8000 $(ARGS)

test: $(STAMP) check ## everything that must hold: lint, types, import rules, all tests
	$(BIN)/python -m pytest $(ARGS)

check: lint types imports ## lint, types, import rules

lint: $(STAMP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

imports: $(STAMP) ## import-linter: layers, purity
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

$(BIN)/go: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[e2e]'
	@touch $@

# Tests of the chart are skipped, with a word, where Helm cannot be built.
$(BIN)/helm: $(BIN)/go
	-GOBIN=$(abspath $(BIN)) $(BIN)/go install -ldflags='-s -w' helm.sh/helm/v4/cmd/helm@v4.3.1

e2e-tools: $(BIN)/go $(BIN)/helm ## what make e2e uses besides; it is loaded from the network

e2e: $(STAMP) $(BIN)/go $(BIN)/helm ## tests on the cluster that KUBECONFIG names; the images of e2e/installation.py must be there
	$(BIN)/python -m pytest e2e tests/deploy --ignore=e2e/conformance --durations=15 $(ARGS)

conformance: $(STAMP) $(BIN)/go ## the official conformance suite on the cluster that KUBECONFIG names; TEST=HTTPRouteCORS: one test
	XDS_CONFORMANCE_TEST=$(TEST) $(BIN)/python -m pytest e2e/conformance $(ARGS)

golden: $(STAMP) ## rewrite the expected output of all scenarios; read the difference before committing it
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest tests/scenarios/test_scenarios.py tests/envoy/test_golden_bytes.py

bench: $(STAMP) ## how fast, each figure beside its floor
	$(BIN)/python -m tests.bench $(ARGS)

bench-cluster: $(STAMP) $(BIN)/go ## how fast in the cluster that KUBECONFIG names, the aims beside; ARGS=1000: up to so many routes
	$(BIN)/python -m e2e.bench $(ARGS)

docs: $(STAMP) ## write the pages of docs that are made from code
	$(BIN)/python -m docs.generate
	$(BIN)/python -m tests.faults.page > docs/faults.md

protos: $(STAMP) ## generate xds_server/pb from protos/
	$(BIN)/python protos/generate.py

deploy-manifests: $(STAMP) ## write what of deploy/ follows from code: rights, install.yaml
	$(BIN)/python -m deploy.generate

image: ## build the container image; IMAGE=name:tag, DOCKER=podman
	$(DOCKER) build --file deploy/Dockerfile --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .

clean: ## remove what make setup made
	rm -rf $(VENV) build dist *.egg-info
