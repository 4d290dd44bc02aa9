# Every target first brings .venv up to date. Overridable: PYTHON, WORKERS, DEMO, SCREENSHOTS.
PYTHON ?= python3
WORKERS ?= 2
DEMO ?= build/demo
SCREENSHOTS ?= build/screenshots

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: help install demo images test lint format bench diagram screenshots clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

# torch comes first and under its exact version alone: that is the spelling for which pip prefers a
# CPU build where one is on offer, instead of gigabytes of CUDA packages.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable ".[training,pipeline,console,onnx,hub,dev]"
	@touch $@

install: $(INSTALLED)  ## set up .venv with the exact versions of constraints.txt

demo: install  ## the whole pipeline on a small synthetic dataset, ending with a report
	@mkdir -p $(DEMO)
	$(BIN)/frhead synthetic --output $(DEMO)/raw.zip
	$(BIN)/frhead run demo --raw $(DEMO)/raw.zip --work-directory $(DEMO)/runs

images:  ## the step images of frhead run --engine docker (docs/containers.md)
	$(PYTHON) images/build.py data trainer

test: install  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

lint: install  ## formatting, style and types, without changing anything
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install  ## speed and memory beside a plain implementation
	$(BIN)/python -m benchmarks.run

diagram: install  ## draw docs/images/dag.svg again
	$(BIN)/python docs/images/dag.py

screenshots: install  ## take the pictures in docs/images/console again
	$(BIN)/python docs/images/console.py $(SCREENSHOTS)

clean:  ## remove everything that can be made again, downloads and runs excepted
	rm -rf build/demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info $(VENV)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
