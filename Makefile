# One way to do each thing; `make check` is what CI runs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider -q
COVERAGE_GATE := 80
# a cooldown: nothing younger than a week enters the locks (docs/adr/0002)
LOCK := $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate \
	--python-version 3.11 --exclude-newer $(shell date -u -d '8 days ago' +%F)

.PHONY: help setup demo check fmt lint type layers unit behaviour system test test-cluster coverage \
	bench docs lock clean

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/python: 
	@test -n "$(PYTHON)" || { echo 'make: Python 3.11 or newer is needed, and not here' >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# what the program itself needs: enough for the demo
$(VENV)/runtime: $(VENV)/python requirements/runtime.txt requirements/build.txt pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes \
		-r requirements/build.txt -r requirements/runtime.txt </dev/null
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
		-e . </dev/null
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes \
		-r requirements/dev.txt </dev/null
	@touch $@

setup: $(VENV)/dev ## Make the environment of developers, from the hashed locks

demo: $(VENV)/runtime ## Play the whole walkthrough in a temporary place
	@$(BIN)/flux-secret demo

check: setup fmt-check lint type layers test docs ## All that CI runs
	@echo 'check: everything passed'

fmt: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

.PHONY: fmt-check
fmt-check: setup
	$(BIN)/ruff format --check .

lint: setup ## Look for mistakes
	$(BIN)/ruff check .

type: setup ## Check the types
	$(BIN)/mypy

layers: setup ## Check that no import points the wrong way
	$(BIN)/lint-imports

test: unit behaviour system test-cluster coverage ## Run every test that this machine can run

# no network and an empty PATH: a unit test that needs either cannot pass by chance
unit: setup ## Run the unit tests
	@rm -f .coverage .coverage.*
	env -i HOME=/nonexistent LANG=C.UTF-8 PATH= \
		$$(unshare --user --net true 2>/dev/null && command -v unshare | sed 's/$$/ --user --net/') \
		$(CURDIR)/$(PYTEST) -n 2 --cov --cov-report= tests/unit tests/architecture

behaviour: setup ## Run whole deliveries on the embedded cluster
	$(PYTEST) -n 2 --cov --cov-append --cov-report= tests/behaviour

system: setup ## Run against real git, gpg, ssh, gopass, pass and kubectl
	@command -v go >/dev/null || test -n "$${GOPASS:-}" \
		|| echo 'system: no Go here, so the comparisons with the real gopass are left out'
	$(PYTEST) -n 2 --cov --cov-append --cov-report= tests/system

test-cluster: setup ## Run on a real API server (KUBECONFIG=... for one of your own)
	@if command -v go >/dev/null || test -n "$${KUBECONFIG:-}"; then \
		$(PYTEST) -p no:xdist --cov --cov-append --cov-report= tests/cluster; \
	else \
		echo 'test-cluster: skipped, since there is no Go to build a control plane with'; \
	fi

coverage: setup
	$(BIN)/python -m coverage report --fail-under=$(COVERAGE_GATE) | tail -n 3

bench: setup ## Measure; prints tables, keeps JSON in bench/results
	$(BIN)/python bench/decrypt.py
	$(BIN)/python bench/delivery.py

docs: setup ## Build the documentation; a broken link fails
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

lock: $(VENV)/dev ## Make the hashed locks anew
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) --extra kubectl pyproject.toml -o requirements/runtime.txt
	$(LOCK) --extra kubectl pyproject.toml requirements/build.in requirements/dev.in \
		requirements/docs.in -c requirements/runtime.txt -o requirements/dev.txt

clean: ## Remove what was made, but not what was built outside the clone
	rm -rf $(VENV) build site .coverage .coverage.* .mypy_cache .ruff_cache .import_linter_cache
