# make run, make test: all that is needed is Python 3.10 or later.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What `make test` runs, and how: make test TESTS=txvaurien.test.test_config TRIALFLAGS=--until-failure
TESTS ?= txvaurien bench
TRIALFLAGS ?=
# What `make bench` measures, and how: make bench BENCH="--quick --proxies direct,ours-tcp,haproxy"
BENCH ?=
# How `make soak` runs: make soak SOAK="--minutes 20 --seed 7"
SOAK ?=
# Further options of `vaurien` for `make run`: make run OPTIONS="--proxy localhost:9000"
OPTIONS ?=

DECLARED := setup.cfg setup.py pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help run test test-all servers lint types unit format coverage bench soak docs man news dist clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/installed ## start a demo: a small backend, the proxy on localhost:8000, control on localhost:8080
	@$(BIN)/vaurien --demo $(OPTIONS)

test: ## lint, check the types, build the documentation and run all tests, with the real servers they need
	@$(MAKE) --no-print-directory servers
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory docs
	@$(MAKE) --no-print-directory unit

test-all: ## make test with every Python from 3.10 to 3.13 that this machine has
	@bash .ci/test-all

servers: ## see to the real servers that the tests start
	@bash .ci/servers

lint: $(VENV)/installed-test ## ruff: what it checks, and how it formats
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test ## mypy
	$(BIN)/mypy

unit: $(VENV)/installed-test ## the trial suite
	$(BIN)/trial $(TRIALFLAGS) $(TESTS)

format: $(VENV)/installed-test ## write the code as ruff writes it
	$(BIN)/ruff format .

coverage: $(VENV)/installed-test ## run all tests and show which lines they do not reach
	$(BIN)/coverage run -m twisted.trial $(TRIALFLAGS) $(TESTS)
	$(BIN)/coverage report

bench: $(VENV)/installed-bench ## measure the proxy beside others; writes build/bench.json, build/bench.svg
	@mkdir -p build
	@$(BIN)/python -m bench --json build/bench.json --plot build/bench.svg $(BENCH)

soak: $(VENV)/installed-test ## an hour of mixed traffic under changing faults, every byte accounted for
	@bash .ci/servers
	@$(BIN)/python -m bench.soak $(SOAK)

docs: $(VENV)/installed-docs ## build the documentation into build/docs; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -n -E -b html -d build/doctrees docs build/docs

man: $(VENV)/installed ## write the man pages anew, from what --help is made of
	$(BIN)/python -m txvaurien.test.man_pages

news: $(VENV)/installed-test ## show what the news fragments come to
	$(BIN)/towncrier build --draft

dist: $(VENV)/installed-test ## build sdist and wheel into dist/, and check them
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean: ## remove everything that was made here
	rm -rf .venv .venv-3.* _trial_temp* build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .coverage
	rm -f twisted/plugins/dropin.cache
	find txvaurien twisted -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/installed: $(DECLARED)
	@bash .ci/venv "$(PYTHON)" "$(VENV)"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@
