# Every target sets up what it needs; `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PY := .venv/bin/python
# Options for the command behind the target: make up ARGS=--headless, make test ARGS='-k frames'
ARGS ?=
# Packages of which the type checker sees a linked copy, because it cannot follow an editable install
FOLDERS := cli connectors flows operators tui
SOURCES := $(wildcard $(FOLDERS) tests benchmarks docs docker ops)

COMPILE := $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --fork-strategy fewest --custom-compile-command 'make lock'

.PHONY: help up test check drill bench docs lock package image sbom clean

help: ## List the targets
	@echo 'GENESIS. Targets, each of which sets up what it needs:'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '%-14s %s\n' "$$target" "$$text"; done

up: .venv/.runtime ## Set up, then run the whole system on this machine
	@.venv/bin/genesis up $(ARGS)

test: .venv/.dev ## Set up, then run all tests
	@$(PY) -m pytest $(ARGS)

check: .venv/.dev build/types ## Lint, format, types, the import rule, generated pages
	@echo 'lint';    $(PY) -m ruff check --quiet --output-format concise $(SOURCES)
	@echo 'format';  $(PY) -m ruff format --check --quiet $(SOURCES) || \
		{ echo 'Not formatted; .venv/bin/ruff format does it. See .venv/bin/ruff format --diff .'; exit 1; }
	@echo 'types (half a minute the first time)'; cd build/types && ../../$(PY) -m mypy \
		--config-file ../../pyproject.toml --cache-dir ../mypy --no-error-summary -p genesis
	@echo 'imports'; cd build/types && ../../.venv/bin/lint-imports --config ../../pyproject.toml \
		--cache-dir ../import-linter >../imports.txt || { cat ../imports.txt; exit 1; }
	@echo 'pages';   $(PY) docs/generate.py --check && $(PY) -m genesis.connectors.topic_docs --check && \
		$(PY) ops/generate.py --check

drill: .venv/.dev ## Kill every part at every step of an order, over seeds (ARGS="--seeds 3"); minutes each
	@$(PY) -m tests.system.kill_matrix $(ARGS)

bench: .venv/.dev ## Measure against the baselines; writes build/bench.json
	@mkdir -p build
	@$(PY) -m benchmarks $(ARGS)

docs: .venv/.dev ## Generate the reference pages and the pictures of the operators
	@$(PY) docs/generate.py
	@$(PY) -m genesis.connectors.topic_docs
	@$(PY) ops/generate.py

lock: .venv/.dev ## Renew the lock files from pyproject.toml (ARGS=--upgrade for newer versions)
	@echo 'Resolving for Python 3.11 and 3.12 (some seconds)'
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(COMPILE) --extra embedded --extra dev --group build pyproject.toml -o requirements-dev.lock $(ARGS)
	@$(COMPILE) --extra embedded pyproject.toml -c requirements-dev.lock -o requirements.lock
	@$(COMPILE) --group build -c requirements-dev.lock -o requirements-build.lock
	@$(PY) docs/generate.py

package: .venv/.dev ## Build dist/*.tar.gz, and from it dist/*.whl
	@rm -rf dist && mkdir dist
	@$(PY) -c 'import setuptools.build_meta as backend; backend.build_sdist("dist")' >/dev/null
	@$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist dist/*.tar.gz
	@rm -rf *.egg-info
	@ls dist

image: .venv/.dev ## Build the images genesis/cluster:dev and genesis/embedded:dev (ARGS=cluster for one)
	@.ci/image $(ARGS)

sbom: .venv/.dev ## Write the bill of materials, CycloneDX, to build/sbom.cdx.json
	@mkdir -p build
	@$(PY) docker/sbom.py --lock requirements.lock >build/sbom.cdx.json
	@echo build/sbom.cdx.json

clean: ## Remove everything that make made, .venv too; the data folder .genesis stays
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

.venv/.runtime: requirements.lock requirements-build.lock pyproject.toml .ci/setup
	@.ci/setup requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock requirements-build.lock pyproject.toml .ci/setup
	@.ci/setup requirements-dev.lock
	@touch $@

build/types:
	@mkdir -p $@/genesis
	@for folder in $(FOLDERS); do ln -sfn ../../../$$folder $@/genesis/$$folder; done
