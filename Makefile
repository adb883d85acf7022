# Two commands matter: `make run` and `make test`. Both set up everything they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ASK ?= What is the capital of France?
STAGE ?=
ARGS ?=
# What the tests load: the default models, and small ones where any will do.
TEST_MODELS := silero-vad smart-turn whisper-base whisper-tiny-en qwen2.5-1.5b-q4 smollm2-135m kokoro-82m-int8

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo up test test-fast test-engines test-compose fuzz lint format protos protos-check bench plan lock clean

help: ## Shows this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The stamps remember that an installation is complete; they are older than the files that decide what is installed.
$(VENV)/.embedded: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.embedded
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@

# Clients that other people wrote, which tests drive in a browser. Where npm or its registry is missing, those tests are
# skipped and say so.
CLIENTS := tests/browser/node_modules
$(CLIENTS)/.installed: tests/browser/package.json tests/browser/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "Installing packages into $(CLIENTS)"; \
	  npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@ \
	    || echo "npm could not install them: tests of JavaScript clients will be skipped"; \
	else \
	  echo "no npm: tests of JavaScript clients will be skipped"; \
	fi

setup: $(VENV)/.embedded

setup-dev: $(VENV)/.dev

run: setup ## Sets up, starts the fleet, holds one spoken conversation, then keeps serving until Ctrl-C
	@$(BIN)/voxfleet demo --ask "$(ASK)" --keep-serving

demo: setup ## The same, and exits: 0 only if the reply was heard
	@$(BIN)/voxfleet demo --ask "$(ASK)"

up: setup ## Starts the fleet and serves until Ctrl-C
	@$(BIN)/voxfleet up

test: setup-dev $(CLIENTS)/.installed ## Runs every test
	@$(BIN)/voxfleet weights pull $(TEST_MODELS)
	@$(BIN)/python -m pytest $(ARGS)

test-fast: setup-dev ## Runs the tests that need no models
	@$(BIN)/python -m pytest tests/chassis tests/services/orchestrator $(ARGS)

# Engines whose packages are too large for the main environment, or at odds with it: tests/engines/NAME runs in an
# environment of its own, .venv-engines/NAME, with exactly what its requirements.txt lists.
ENGINES := $(patsubst tests/engines/%/requirements.txt,%,$(wildcard tests/engines/*/requirements.txt))
.venv-engines/%/.installed: tests/engines/%/requirements.txt
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@echo "Installing packages into $(@D)"
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# Warnings fail the tests of the main environment; here most are other people's.
test-engines: $(ENGINES:%=.venv-engines/%/.installed) ## Runs the tests of the GPU engines, on a CPU with small models
	@set -e; for engine in $(ENGINES); do \
	  .venv-engines/$$engine/bin/python -m pytest tests/engines/$$engine \
	    -o addopts="--strict-markers --strict-config -ra" -W default $(ARGS); \
	done

test-compose: setup-dev ## Builds the images, runs the fleet in containers and talks to it (podman, root, minutes)
	@$(BIN)/python -m pytest tests/deploy/containers.py -s -o addopts="--strict-markers --strict-config -ra" $(ARGS)

fuzz: setup-dev ## Sends every endpoint of the edge 10,000 broken messages
	@FUZZ_MESSAGES=10000 $(BIN)/python -m pytest tests/services/orchestrator/edge/fuzz $(ARGS)

lint: setup-dev ## Ruff and mypy over code and tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup-dev ## Formats the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

protos: setup-dev ## Generates gen/ from protos/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos \
	  --python_out=gen --grpc_python_out=gen --mypy_out=quiet:gen --mypy_grpc_out=quiet:gen \
	  $$(find protos -name '*.proto' | sort)

protos-check: protos ## Fails where gen/ is not what protos/ says
	@git diff --exit-code --stat -- gen && test -z "$$(git status --porcelain -- gen)"

bench: setup-dev ## Measures whole conversations (SESSIONS=1,2,4 TURNS=20), or STAGE=stt|vad|llm|tts|overhead|endpointing|noise|barge-in (stt: STREAMS=8,32)
ifeq ($(STAGE),)
	@$(BIN)/voxfleet bench turns $(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(TURNS),--turns $(TURNS)) \
	  --compare "no drafts=VOXFLEET_ORCHESTRATOR_DRAFTS=false" --json out/bench.json --picture out/bench.html $(ARGS)
else ifeq ($(STAGE),overhead)
	@$(BIN)/python -m tests.bench.overhead $(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(TURNS),--turns $(TURNS)) $(ARGS)
else ifneq ($(filter $(STAGE),endpointing noise),)
	@$(BIN)/python -m tests.bench.$(STAGE) $(ARGS)
else ifeq ($(STAGE),barge-in)
	@$(BIN)/voxfleet bench barge-in $(ARGS)
else
	@$(BIN)/python -m services.$(STAGE).bench $(if $(STREAMS),--streams $(STREAMS)) $(ARGS)
endif

plan: setup ## Says how many conversations a card carries, and draws it (out/capacity.svg); docs/capacity.md
	@$(BIN)/voxfleet plan --picture out/capacity.svg $(ARGS)

lock: ## Writes constraints.txt anew from pyproject.toml
	@rm -rf .lock && $(PYTHON) -m venv .lock
	@.lock/bin/pip install --quiet --disable-pip-version-check '.[embedded,microphone,dev]'
	@{ sed '/^[^#]/,$$d' constraints.txt; .lock/bin/pip freeze --exclude voxfleet --exclude-editable | sort -f; } > .lock/new
	@mv .lock/new constraints.txt && rm -rf .lock

clean: ## Removes what was installed and built; weights stay
	@rm -rf $(VENV) .venv-engines $(CLIENTS) .lock build out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
