# `make demo`: set up and make a portrait. `make test`: set up and run every check. Both are quick when repeated.
# `make parity`: run the golden cases of the reference folder and print how close they come.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint reference slow parity bench clean

demo: .venv/installed
	@$(BIN)/loomis run workflows/portrait.json

test: lint
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: .venv/installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

reference: .venv/installed-test
	@$(BIN)/python -m pytest -m "reference and not slow"

slow: .venv/installed-test
	@$(BIN)/python -m pytest -m "slow and not reference"
	@$(BIN)/python -m pytest -m "hypothesis and not slow and not reference" --hypothesis-profile thorough

parity: .venv/installed-test
	@$(BIN)/python -m tests.parity

bench: .venv/installed-test
	@$(BIN)/python -m benchmarks

.venv/installed: pyproject.toml constraints.txt
	@echo "Setting up .venv (about 6 GB on Linux with CUDA builds of torch; 2 to 10 minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@$(BIN)/python -m compileall -q engine nodes server
	@touch $@

.venv/installed-test: .venv/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@

clean:
	rm -rf .venv output
