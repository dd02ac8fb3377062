# One way to do each thing; `make check` is what CI runs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL: # two cores are soon full

# the first Python that is new enough and can make environments (Debian packs venv on its own)
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check --no-input
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider -q
COVERAGE_GATE := 85 # percent of unit, architecture and behaviour tests
# What is younger than a week stays out of the locks, so that a stolen release is found by others
# first (docs/adr/0002); no index address gets in.
LOCK = $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-strip-extras --python-version 3.11 --exclude-newer "$$($(BIN)/python -c \
	'import datetime as d; print(d.datetime.now(d.UTC).date() - d.timedelta(days=8))')"

# No network, by the kernel where it lets us; tests/unit/conftest.py refuses it in any case.
OFFLINE = $$(for u in 'unshare --net' 'unshare --user --net'; do \
	$$u true 2>/dev/null && echo "$$(command -v unshare) $${u\#* }" && break; done)

.PHONY: help setup demo check fmt fmt-check lint type layers test unit behaviour system \
	test-cluster coverage bench docs lock clean

help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/python:
	@test -n "$(PYTHON)" || { echo 'make: this needs Python 3.11 or newer with its venv module' \
		'(Debian: apt-get install python3 python3-venv; or name one: make PYTHON=...)' >&2; exit 3; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) </dev/null
	@touch $@

# what the program itself needs: enough for the demo
$(VENV)/runtime: $(VENV)/python requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo 'installing what flux-secret needs, by hash'
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/runtime.txt </dev/null
	@$(PIP) --no-deps --no-build-isolation -e . </dev/null
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements/dev.txt
	@echo 'installing what developers need, by hash'
	@$(PIP) --require-hashes -r requirements/dev.txt </dev/null
	@touch $@

setup: $(VENV)/dev ## Make the environment of developers, from the hashed locks

demo: $(VENV)/runtime ## Play the whole walkthrough in a temporary place
	@$(BIN)/flux-secret demo

# never on the cluster that somebody's shell happens to point at: that takes `make test-cluster`
check: export KUBECONFIG :=
check: setup fmt-check lint type layers docs test ## All that CI runs
	@echo 'check: everything passed'

fmt: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

fmt-check: setup
	$(BIN)/ruff format --check .

lint: setup ## Look for mistakes
	$(BIN)/ruff check .

type: setup ## Check the types
	$(BIN)/mypy </dev/null

layers: setup ## Check that no import points the wrong way
	$(BIN)/lint-imports --no-cache

test: unit behaviour system test-cluster ## Run every test that this machine can run

# pytest ends with 5, and so fails, when it finds no test; each run prints its own closing line
unit: setup ## Run the unit tests: no network, an empty PATH
	env -i HOME=/nonexistent LANG=C.UTF-8 TMPDIR="$${TMPDIR:-/tmp}" CI="$${CI:-}" PATH= \
		$(OFFLINE) $(CURDIR)/$(PYTEST) -n 2 tests/unit tests/architecture </dev/null

behaviour: setup ## Run whole deliveries on the embedded cluster
	$(PYTEST) -n 2 tests/behaviour </dev/null

system: setup ## Run against real git, gpg, ssh, gopass, pass and kubectl
	@command -v go >/dev/null || test -n "$${GOPASS:-}" \
		|| echo 'system: no Go here, so what needs the real gopass or sops is left out'
	$(PYTEST) -n 2 tests/system </dev/null

# Go is not needed once the control plane is built, nor with a cluster of one's own. Ours are cheap:
# two at once, each with files of tests of its own, take little more than half of the time.
test-cluster: setup ## Run on a real API server (KUBECONFIG=... for one of your own)
	@if test -n "$${KUBECONFIG:-}"; then \
		$(PYTEST) -p no:xdist tests/cluster </dev/null; \
	elif command -v go >/dev/null; then \
		$(PYTEST) -n 2 --dist loadfile tests/cluster </dev/null; \
	else \
		echo 'test-cluster: skipped, since there is no Go to build a control plane with'; \
	fi

# apart from `check`: to watch each line makes tests slower by more than a quarter
coverage: setup ## See which lines unit and behaviour tests reach
	@rm -f .coverage .coverage.*
	$(PYTEST) -n 2 --cov --cov-append --cov-report= tests/unit tests/architecture </dev/null
	$(PYTEST) -n 2 --cov --cov-append --cov-report= tests/behaviour </dev/null
	$(BIN)/python -m coverage report --fail-under=$(COVERAGE_GATE)

bench: setup ## Measure; prints tables, keeps JSON in bench/results
	PYTHONPATH=tools:tests $(BIN)/python bench/decrypt.py </dev/null
	PYTHONPATH=tools:tests $(BIN)/python bench/delivery.py </dev/null
	PYTHONPATH=tools:tests $(BIN)/python bench/reencrypt.py </dev/null
	PYTHONPATH=tools:tests $(BIN)/python bench/record.py </dev/null
	PYTHONPATH=tools:tests:bench $(BIN)/python bench/workers.py </dev/null

docs: setup ## Build the documentation; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site </dev/null

lock: $(VENV)/dev ## Make the hashed locks anew
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) --extra kubectl pyproject.toml -c requirements/build.txt -o requirements/runtime.txt
	$(LOCK) --extra kubectl pyproject.toml requirements/build.in requirements/dev.in \
		requirements/docs.in -c requirements/runtime.txt -c requirements/build.txt \
		-o requirements/dev.txt

clean: ## Remove what was made, but not what was built outside the clone
	rm -rf $(VENV) build site .coverage .coverage.* .mypy_cache .ruff_cache .import_linter_cache
