# Everything starts here, on a machine with Python (3.11 or newer), git and make.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint types imports check simulate reference lock clean help

help: ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(INSTALLED): requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (the first time this takes a minute) …"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(RUN)/python -m compileall -q localfirst sync schema $$($(RUN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') >/dev/null || true
	@touch $@

demo: $(INSTALLED) ## two laptops, one PostgreSQL, the cable pulled: what happens to the data
	@$(RUN)/localfirst demo

test: check ## lint, types, import direction and all tests
	@$(RUN)/python -m pytest -q -n 3 --dist loadfile --max-worker-restart=0

check: lint types imports

lint: $(INSTALLED)
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check --quiet .

types: $(INSTALLED) ## strict types of the program, its tests, tools and examples
	@$(RUN)/mypy
	@$(RUN)/mypy --exclude '^tests/sync/' tests examples
	@$(RUN)/mypy tests/sync tools

imports: $(INSTALLED)
	@$(RUN)/lint-imports --no-cache >/dev/null || $(RUN)/lint-imports --no-cache

simulate: $(INSTALLED) ## the engine under a simulated network, clock and crashes: make simulate SEEDS=1000
	@PYTHONPATH=tests PYTHONHASHSEED=0 $(RUN)/python -m simulation --seeds $(or $(SEEDS),300)

reference: $(INSTALLED) ## the pages of tools and commands, from the code
	@$(RUN)/python tools/reference.py

lock: ## pins what is installed, from pyproject.toml
	@uv pip compile pyproject.toml --group dev --extra demo --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --quiet --output-file requirements.lock

clean: ## takes the virtual environment and the caches away
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
