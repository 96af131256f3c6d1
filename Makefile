# Each target makes the virtual environment it needs. Override with, for example,
#   make test PYTHON=python3.12 PYTEST_WORKERS=8
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PYTEST_WORKERS ?= 2

VENV := .venv
DEMO := .venv-demo
PIP := bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test lint docs bench clean

# One thread trains the run that docs/results/quick-preset.md lists as seed 0: sums in another order
# are another draw.
demo: $(DEMO)/ready ## train dSprites for five minutes, evaluate 50 betas, draw the curves
	mkdir -p demo
	OMP_NUM_THREADS=1 \
	$(DEMO)/bin/mrtc train dsprites --objective tcvae --preset quick --out demo/ckpt.pt --resume
	$(DEMO)/bin/mrtc eval-mig demo/ckpt.pt --betas 0.1:10:50 --examples 10000 --out demo/results.h5
	$(DEMO)/bin/mrtc plot demo/results.h5 --out demo
	$(DEMO)/bin/mrtc traverse demo/ckpt.pt --betas 0.1,1,10 --out demo/traverse.png

test: $(VENV)/ready ## run the tests
	$(VENV)/bin/python -m pytest --numprocesses $(PYTEST_WORKERS) --dist worksteal $(PYTEST_OPTIONS)

lint: $(VENV)/ready ## format, lint, types, direction of imports
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: $(VENV)/ready ## build the documentation site into docs/_build/html
	$(VENV)/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench: $(VENV)/ready ## measure speed against the plain formulations, on a quiet machine
	for file in benchmarks/*.py; do echo "== $$file" && $(VENV)/bin/python $$file || exit 1; done

clean: ## remove what the other targets made
	rm -rf $(VENV) $(DEMO) demo docs/_build .mypy_cache .ruff_cache .pytest_cache

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/$(PIP) --editable '.[dev]'
	touch $@

$(DEMO)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/$(PIP) --editable .
	touch $@
