# One command for each thing a contributor does; the recipes are short and the work is in bin/, tox.ini and holdfast.

SHELL := /bin/sh
UV := .venv/bin/uv
comma := ,

# pyenv keeps Pythons in folders of their own, with shims on PATH that run only for chosen ones.
pyenvs := $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.13*/bin)
export PATH := $(PATH)$(foreach folder,$(pyenvs),:$(folder))

.DEFAULT_GOAL := help
.PHONY: help setup gate test slow vllm check lock clean

help:  ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup:  ## fetch what is missing: Python packages into .venv, programs into ~/.cache/holdfast; no root
	@bin/setup

gate:  ## the quickstart gate on the embedded platform (exact exit code: bin/gate, or runs/last-exit-code)
	@bin/gate

# A second Python is used when there is one; the suite itself can never be skipped. (make 4.3 has no export for $$(shell).)
second = $(shell PATH="$(PATH)" $(UV) python find --no-project --no-python-downloads --python-preference only-system 3.13 2>/dev/null)
test: setup  ## the whole suite through tox: lint, a second Python, unit, end to end, and what needs the machine alone
	@$(if $(second),,echo "no Python 3.13 on this machine: the suite runs on $$(.venv/bin/python --version) only";) \
	.venv/bin/tox run --skip-missing-interpreters false -e lint,$(if $(second),py313$(comma))unit,e2e,timed

slow: setup  ## what `make test` leaves out: more examples, comparison with other programs (the real Sloth: bin/fetch-sloth)
	@.venv/bin/tox run -e slow

vllm: setup  ## the platform on real engines: needs your vLLM, as HOLDFAST_VLLM=PATH or on PATH; a quarter of an hour
	@.venv/bin/python -m pytest -m vllm tests/vllm

check: setup  ## the quick look before a commit: ruff and mypy
	@.venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy

lock: setup  ## choose versions anew: requirements.lock from both pyproject.toml files
	@printf '%s\n' 'hatchling>=1.27' 'editables>=0.5' 'uv>=0.5' | \
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --group dev \
	  --output-file requirements.lock pyproject.toml platform/services/pyproject.toml -

clean:  ## what tests and tools leave behind (.venv, runs and downloads stay)
	@rm -rf .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	@find src tests platform -name __pycache__ -type d -prune -exec rm -rf {} +
