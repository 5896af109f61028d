# The two commands: `make demo` and `make test`. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINES ?=
PICTURE ?= demo.png

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint types imports pytest clean

demo: $(VENV)/.demo
	$(BIN)/python -m optshare demo $(ENGINES) --picture $(PICTURE)

test: lint types imports pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: $(VENV)/.test
	$(BIN)/lint-imports

pytest: $(VENV)/.test
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "optshare needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing optshare with what the demo needs (about 400 MB on disk) into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml tests/constraints.txt | $(BIN)/python
	@echo "Installing optshare with what the tests need (about 1.6 GB on disk, PyTorch among it) into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.demo
