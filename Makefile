# Two commands: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/ready
	@$(BIN)/python -m nacre.tools.demo

test: lint
	@$(BIN)/python -m pytest

lint: .venv/ready
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@rm -rf .types && mkdir -p .types/nacre && touch .types/nacre/py.typed
	@cp nacre_root/__init__.py nacre_root/__main__.py .types/nacre/
	@for folder in codec datasets entropy models tools; do ln -s ../../$$folder .types/nacre/$$folder; done
	@MYPYPATH=.types $(BIN)/mypy -p nacre --no-error-summary

.venv/ready: pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" -e ".[test]"
	@touch $@

clean:
	rm -rf .venv .types demo-out build *.egg-info
