# kirin-batch: needs make and Python 3.11 or newer, nothing else. `make help` lists the targets.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := env -u PIP_FIND_LINKS -u UV_FIND_LINKS build/pins/bin/uv pip compile --quiet --no-config --no-emit-index-url \
	--universal --python-version 3.11 --generate-hashes --custom-compile-command "make pins" $(PINS_OPTIONS) pyproject.toml
# What `make test` installs holds all that `make demo` needs.
DEMO := $(if $(wildcard .venv/project-dev),.venv/project-dev,.venv/project-demo)

.DEFAULT_GOAL := help
.PHONY: help test demo format docs pins clean
.SECONDARY:
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

test: .venv/project-dev ## check all that CI checks: lint, types, tests, wheel (one alone: .venv/bin/nox -s lint)
	$(BIN)/python -m nox

demo: $(DEMO) ## generate the examples with the sandbox: no key, no cost
	$(BIN)/kirin-batch run --sandbox specs/examples

format: .venv/project-dev ## lay the code out, and mend what ruff can mend
	$(BIN)/python -m ruff check --fix-only --quiet .
	$(BIN)/python -m ruff format .

docs: .venv/project-dev ## write what follows from the program: pages of commands, models and settings, names for completion
	$(BIN)/python docs/generate.py
	$(BIN)/python tests/completion_table.py

pins: ## resolve requirements/ anew, keeping versions that still fit (PINS_OPTIONS=--upgrade: the newest)
	$(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install --quiet --upgrade uv
	$(COMPILE) --extra sandbox --group dev --output-file requirements/dev.txt
	$(COMPILE) --extra sandbox --group install --constraint requirements/dev.txt --output-file requirements/demo.txt
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/run.txt

clean: ## remove what make and the tools made; outputs/ and kirin.lock stay
	rm -rf .venv build dist .nox .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*

# One environment at a time, from its pins alone: a changed pin makes it anew, a changed pyproject.toml installs the project.
.venv/packages-%: requirements/%.txt
	@$(PYTHON) -c 'import sys; sys.exit("kirin-batch needs Python 3.11 or newer, and $(PYTHON) is %d.%d:" \
		" name another one, as in `make PYTHON=python3.12`" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --require-hashes --requirement $<
	@touch $@

.venv/project-%: .venv/packages-% pyproject.toml
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
