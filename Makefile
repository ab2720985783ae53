# make demo: set up, then train a small model on face videos made here and judge two fresh ones.
# make test: set up, then lint, types, layers and the tests.
# make test-oldest, make test-newest: the tests with other versions than those of constraints.txt.
# make docs: the documentation as a site, in site/.
# make package: the wheel and the source archive, checked.
# make reproduce-smoke: every table of the paper, small and on made-up data.
# make constraints: the newest versions become those of constraints.txt, if the tests pass with them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OLDEST := $(VENV)-oldest
NEWEST := $(VENV)-newest

.PHONY: demo test test-quick test-oldest test-newest docs package reproduce-smoke constraints lint format setup

demo: setup
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

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --constraint constraints.txt pip setuptools
	$(BIN)/python -m pip install -qq --constraint constraints.txt --build-constraint constraints.txt \
		--editable ".[dev]"
	touch $(STAMP)
