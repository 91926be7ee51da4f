# Every command a developer or a CI job needs. `make` alone lists them.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
TSC := .venv/typescript/node_modules/.bin/tsc
# A native deadlock ignores pytest's own time limit: end the run from outside.
LIMIT := timeout --foreground --kill-after=60
# Most tests wait most of the time: three at once on two cores. Those of one file share a server or a window.
# One that crashes ends the run: its file cannot be resumed, and pytest-xdist would wait for ever.
WORKERS := --tx '3*popen//python=scripts/python-with-display' --dist loadfile --max-worker-restart=0
# Of a part of the tests (ARGS), one of the two runs may have none: that is no failure.
NOTHING_SELECTED := [ $$? -eq 5 ]

.PHONY: help setup setup-demo setup-test demo test test-slow check bench gpu clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

setup: setup-test ## system packages, .venv, pinned Python packages (once; later runs only check)

setup-demo:
	@scripts/setup demo

setup-test:
	@scripts/setup test

demo: setup-demo ## real samples served, shown and measured (EXIT=1: end after the table)
	@$(BIN)/napari-cuda demo $(if $(EXIT),--exit)

test: setup-test ## make check, then every test that is neither slow nor needs a GPU
	@$(MAKE) check
	@$(LIMIT) 900 $(PYTEST) $(WORKERS) -m "not alone and not slow and not gpu" $(ARGS) || $(NOTHING_SELECTED)
	@$(LIMIT) 900 scripts/with-display $(PYTEST) -m "alone and not slow and not gpu" $(ARGS) || $(NOTHING_SELECTED)

test-slow: setup-test ## the tests that take minutes
	@$(LIMIT) 1500 $(PYTEST) $(WORKERS) -m "slow and not alone and not gpu" $(ARGS) || $(NOTHING_SELECTED)
	@$(LIMIT) 2400 scripts/with-display $(PYTEST) -m "slow and alone and not gpu" $(ARGS) || $(NOTHING_SELECTED)

check: setup-test ## ruff, formatting, mypy --strict, import contracts; with node, tsc --strict of the page
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "check: not formatted; run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy --strict src
	@report=$$($(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache 2>&1) \
	    && echo "Import contracts: kept" || { echo "$$report"; exit 1; }
	@if [ -x $(TSC) ]; then $(TSC) --project tsconfig.json && echo "tsc: no error in the page"; \
	    else echo "tsc: not here (it needs npm), the page's types were not checked"; fi

bench: setup-demo ## the whole chain beside what its stages cost alone (ARGS='-w pan2d --json now.jsonl')
	@$(BIN)/napari-cuda bench $(ARGS)

gpu: setup-demo ## the tests that need a real GPU; a skipped one fails
	@$(PYTEST) -m gpu --no-skips $(ARGS)

clean: ## remove .venv, caches and build outputs
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist demo.png
	@find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
