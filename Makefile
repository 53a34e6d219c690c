# Two commands: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin

PEERS ?= compressai torch==2.14.1 torchvision==0.29.1

.PHONY: demo test test-browser test-compressai lint clean

demo: .venv/ready
	@$(BIN)/python -m nacre.tools.demo

test: lint
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/ready
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@rm -rf .types && mkdir -p .types/nacre && touch .types/nacre/py.typed
	@cp nacre_root/__init__.py nacre_root/__main__.py .types/nacre/
	@for folder in codec datasets entropy models tools; do ln -s ../../$$folder .types/nacre/$$folder; done
	@MYPYPATH=.types $(BIN)/mypy -p nacre --no-error-summary

# Beside the suite: these need a Chromium on the PATH, and two gigabytes of other people's packages.
test-browser: .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check playwright
	@$(BIN)/python -m pytest tests/tools/evaluate/test_page.py tests/tools/evaluate/clips/test_player_page.py

test-compressai: .venv/ready .venv-compressai/ready
	@NACRE_COMPRESSAI_PYTHON=.venv-compressai/bin/python $(BIN)/python -m pytest \
		tests/tools/evaluate/codecs/test_compressai.py tests/tools/test_import_compressai.py

.venv-compressai/ready:
	@$(PYTHON) -m venv .venv-compressai
	@.venv-compressai/bin/python -m pip install --quiet --disable-pip-version-check $(PEERS)
	@touch $@

.venv/ready: pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" -e ".[test]"
	@touch $@

clean:
	rm -rf .venv .venv-compressai .types demo-out build *.egg-info
