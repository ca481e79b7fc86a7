# `make serve` and `make test` do all set-up themselves; both are quick the second time.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help serve test check bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

serve: $(VENV)/installed  ## install and start the server on 127.0.0.1:8000; ARGS="--port 9000" for options
	$(BIN)/reward-server serve $(ARGS)

test: $(VENV)/installed .venv-openrlhf/installed  ## run the tests, everything but long experiments; ARGS="-k flip" for some
	$(BIN)/pytest $(ARGS)

check: $(VENV)/installed  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed  ## measure against the alternatives, about ten minutes
	$(BIN)/python -m benchmarks

clean:  ## remove what the other targets installed
	rm -rf .venv .venv-openrlhf

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# OpenRLHF's own client, for one test; it pins other versions than ours, and wants packages for GPUs that it does not need here.
.venv-openrlhf/installed: tests/openrlhf/requirements.txt
	$(PYTHON) -m venv .venv-openrlhf
	.venv-openrlhf/bin/pip install --quiet --disable-pip-version-check --requirement tests/openrlhf/requirements.txt
	.venv-openrlhf/bin/pip install --quiet --disable-pip-version-check --no-deps openrlhf==0.11.2
	touch $@
