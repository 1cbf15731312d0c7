# The two commands of the README are `make demo` and `make test`. Each installs what it needs, once.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
CONTAINERS ?= docker
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint format bench lock map pipelines images browser clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 22

demo: $(INSTALLED)  ## Show the whole loop on two sample repositories (ARGS=--exit: without staying; ARGS=--reset: anew)
	@$(BIN)/mlops-bot demo $(ARGS)

test: $(INSTALLED_DEV) browser  ## Run all tests (ARGS="tests/domain -k gate" for some)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal $(ARGS)

lint: $(INSTALLED_DEV)  ## Check style, types, and who imports what
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED_DEV)  ## Format the code, and mend what can be mended by a machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED_DEV)  ## Measure speed and size against the bare scripts, in one run
	@$(BIN)/python -m tests.bench $(ARGS)

pipelines: $(INSTALLED_DEV)  ## Compile the standard pipelines into pipelines/compiled/
	@$(BIN)/python -m pipelines.compile

map: $(INSTALLED_DEV)  ## Write the code map of bot/README.md from the modules' docstrings
	@$(BIN)/python -m tests.packaging.code_map

images:  ## Build the images for a cluster (CONTAINERS=podman; REGISTRY=registry.example.com/)
	$(CONTAINERS) build --file deploy/images/bot.Dockerfile --tag $(REGISTRY)mlops-bot:$(VERSION) .
	$(CONTAINERS) build --file deploy/images/runner.Dockerfile --tag $(REGISTRY)mlops-bot-runner:$(VERSION) .

lock: $(INSTALLED_DEV)  ## Fit constraints.txt to pyproject.toml (ARGS=--upgrade: to the newest releases)
	@$(BIN)/uv pip compile --quiet $(ARGS) pyproject.toml --all-extras --group dev --universal \
		--no-annotate --no-header --python-version 3.11 --output-file constraints.txt

$(BIN)/uv:
	@command -v git >/dev/null || { echo "mlops-bot needs git. On Debian or Ubuntu: apt install git"; exit 2; }
	@command -v $(PYTHON) >/dev/null || { echo "mlops-bot needs Python 3.11 to 3.13 (looked for '$(PYTHON)'; or: make PYTHON=python3.12 …)"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "mlops-bot needs Python 3.11 to 3.13, and '$(PYTHON)' is $$($(PYTHON) -V). Try: make PYTHON=python3.12 …"; exit 2; }
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) 2>/dev/null \
		|| { echo "This Python can not make virtual environments. On Debian or Ubuntu: apt install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet -c constraints.txt uv

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/uv
	@echo "installing mlops-bot into $(VENV) (once; about a minute)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -b constraints.txt -e '.[github,gitlab,postgres,s3]'
	@touch $@

$(INSTALLED_DEV): $(INSTALLED) pyproject.toml constraints.txt
	@echo "installing what tests and checks need into $(VENV) (once)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt --group dev
	@touch $@

# Page tests use Debian's chromium. Without it, and without the right to install it, they are skipped, and say so.
browser:
	@[ -x /usr/bin/chromium ] \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			&& echo "installing chromium for the page tests" \
			&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
		|| echo "there is no /usr/bin/chromium: the page tests that need it are skipped"

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
