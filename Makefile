# The commands: `make demo`, `make test`, `make bench`. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINES ?= tape functional torch jax
FRAMEWORKS := $(filter torch jax,$(ENGINES))
PICTURE ?= demo.png

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint types imports pytest bench clean

demo: $(VENV)/.demo $(FRAMEWORKS:%=$(VENV)/.demo-%)
	JAX_ENABLE_X64=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false \
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

bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks --write docs
	@echo "The tables are in docs/benchmarks.md and docs/benchmarks-updates.md."

clean:
	rm -rf $(VENV) dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "optshare needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Downloading what the demo needs, about 80 MB, into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.demo-torch: tests/constraints.txt | $(VENV)/.demo
	@echo "Downloading PyTorch: about 200 MB for its CPU build, several GB for the CUDA build"
	@echo "that the Linux index has. Without it: make demo ENGINES=\"tape functional\" ..."
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[torch]'
	@touch $@

$(VENV)/.demo-jax: | $(VENV)/.demo
	@echo "Downloading JAX: about 90 MB. Without it: make demo ENGINES=\"tape functional\" ..."
	$(BIN)/python -m pip install --quiet --editable '.[jax]'
	@touch $@

$(VENV)/.test: pyproject.toml tests/constraints.txt | $(BIN)/python
	@echo "Installing optshare with what the tests need (about 2.2 GB on disk; PyTorch, JAX, Flax and Keras among it) into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.demo $(VENV)/.demo-torch $(VENV)/.demo-jax

$(VENV)/.bench: pyproject.toml tests/constraints.txt tests/benchmarks/requirements.txt | $(BIN)/python
	@echo "Installing optshare with the engines that it is compared with (PyTorch and JAX among them) into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --constraint tests/constraints.txt --requirement tests/benchmarks/requirements.txt --editable .
	@touch $@
