# make demo: install what judging needs, make a genuine face video and a manipulated copy of it, judge both.
# make test: install everything, then lint, types, layers and the tests.
# make test-oldest, make test-newest: the tests with other versions than those of constraints.txt.
# make docs: the documentation as a site, in site/.
# make package: the wheel and the source archive, checked.
# make reproduce-smoke: every table of the paper, small and on made-up data.
# make constraints: the newest versions become those of constraints.txt, if the tests pass with them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_STAMP := $(VENV)/.installed-for-demo
STAMP := $(VENV)/.installed
INSTALL := $(BIN)/python -m pip install --constraint constraints.txt --build-constraint constraints.txt --editable
OLDEST := $(VENV)-oldest
NEWEST := $(VENV)-newest

.PHONY: demo test test-quick test-oldest test-newest docs package reproduce-smoke constraints lint format setup

demo: $(DEMO_STAMP)
	$(BIN)/python tools/demo.py

test: lint
	$(BIN)/python -m pytest -n 2

test-quick: setup
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-oldest:
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip install -qq uv
	$(OLDEST)/bin/uv pip install -q --python $(OLDEST) --resolution lowest-direct --editable ".[test]"
	@# Old versions among new ones warn of each other.
	$(OLDEST)/bin/python -m pytest -n 2 -W default

test-newest:
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python -m pip install -qq --upgrade pip setuptools
	$(NEWEST)/bin/python -m pip install -qq --editable ".[dev]"
	$(NEWEST)/bin/python -m pytest -n 2

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

package: setup
	$(BIN)/python -m pip install -qq build twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

constraints: test-newest
	$(NEWEST)/bin/python tools/freeze_constraints.py

reproduce-smoke: setup
	for table in configs/paper/*.yaml; do \
		$(BIN)/deepfake-ssat reproduce $$table --smoke --out smoke_runs/$$(basename $$table .yaml) || exit 1; \
	done

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(STAMP)

# Not silent: what pip downloads and how far it is are the progress of these minutes.
$(STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) ".[dev]"
	touch $(STAMP)

$(DEMO_STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) ".[demo]"
	touch $(DEMO_STAMP)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt pip setuptools
