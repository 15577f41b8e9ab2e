# make run     set up everything and run it (Ctrl-C stops it)
# make test    set up everything, the real servers for the tests included, and run every test
# make env lint bench docs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --only-binary :all:
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard colporteur/locale/*/LC_MESSAGES/django.po))

.PHONY: run test env dev servers lint bench docs
.DEFAULT_GOAL := run

run: env
	@COLPORTEUR_DEMO=$${COLPORTEUR_DEMO:-1} exec $(BIN)/colporteur run

env: $(VENV)/installed $(CATALOGUES)

dev: env $(VENV)/installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Colporteur needs Python 3.11 or newer; say which with: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) > $(VENV).log 2>&1 || { \
	  rm -rf $(VENV); \
	  echo "This Python cannot make virtual environments yet: installing the package python3-venv"; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv > $(VENV).log 2>&1 && $(PYTHON) -m venv $(VENV); \
	} || { cat $(VENV).log >&2; rm -rf $(VENV) $(VENV).log; echo "Install python3-venv, then try again" >&2; exit 1; }
	@rm -f $(VENV).log

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies"
	@$(PIP) -r requirements.lock setuptools==84.2.1
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@echo "Installing what the tests need"
	@$(PIP) -r requirements-dev.lock
	@touch $@

%.mo: %.po | $(VENV)/installed
	@$(BIN)/pybabel --quiet compile -i $< -o $@

servers: dev
	@$(BIN)/python -m tests.servers.debian

test: dev servers
	$(BIN)/python -m pytest -n $$(($$(nproc) + 1)) --dist loadfile

lint: dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev servers
	$(BIN)/python -m tests.bench

docs: env
	$(BIN)/python -m colporteur.options > docs/settings.md
	$(BIN)/python -m colporteur.cli.reference commands > docs/commands.md
	$(BIN)/python -m colporteur.cli.reference list-settings > docs/list-settings.md
