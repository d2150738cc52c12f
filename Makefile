# Thin names for what ./run and ./test do; a machine without make loses nothing.

PYTHON := .venv/bin/python
PEERS := .venv/peers
TREES := .venv/trees
UV ?= uv
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --quiet
LOCK := $(COMPILE) pyproject.toml

.PHONY: check install run fmt lint types imports test cover bench bench-peers soak mutants segmentation peers trees lock

check:  ## Everything that continuous integration checks
	./test

install:  ## Set .venv up for development
	scripts/install requirements-dev.lock

run:  ## Serve on 127.0.0.1:8080
	./run

fmt: install  ## Format and mend what can be mended without thought
	$(PYTHON) -m ruff check --fix-only .
	$(PYTHON) -m ruff format .

lint: install
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: install
	$(PYTHON) -m mypy

imports: install
	$(PYTHON) .venv/bin/lint-imports --no-logo

test:
	./test tests

cover: install  ## The tests, and which lines and branches they never reach
	$(PYTHON) -m coverage run -m pytest
	$(PYTHON) -m coverage combine
	$(PYTHON) -m coverage report

bench:
	./run bench

bench-peers: install  ## The gateway beside a server that one would write in an evening; needs espeak-ng and ffmpeg
	./run bench peers -o docs/benchmarks/peers

segmentation: install  ## How well and how fast text is cut, beside the peers that are installed
	$(or $(wildcard $(PEERS)/bin/python),$(PYTHON)) -m tests.segmentation.evaluate

peers: install  ## Other segmenters for `make segmentation`, in an environment of their own (1 GB)
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -q 'pip>=25.1'
	$(PEERS)/bin/python -m pip install -q -r requirements.lock
	$(PEERS)/bin/python -m pip install -q --group peers

trees: install  ## Parse the English treebanks again for their tight phrases, in an environment of its own (0.4 GB)
	$(PYTHON) -m venv $(TREES)
	$(TREES)/bin/python -m pip install -q 'pip>=25.1'
	$(TREES)/bin/python -m pip install -q -r requirements.lock
	$(TREES)/bin/python -m pip install -q --group trees
	$(TREES)/bin/python -m tests.segmentation.trees

soak: install  ## Kills, strange texts, barge-ins and ten thousand sessions: three quarters of an hour
	$(PYTHON) -m tests.chaos kills
	$(PYTHON) -m tests.chaos fuzz
	$(PYTHON) -m tests.chaos clears
	$(PYTHON) -m tests.chaos sessions

mutants: install  ## Plant each known bug and see the suite notice it; a few minutes
	$(PYTHON) -m tests.mutants

lock:  ## Resolve pyproject.toml again (needs uv); UPGRADE=1 takes the newest versions
	$(LOCK) $(if $(UPGRADE),--upgrade) -o requirements.lock
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra bench -c requirements.lock -o requirements-bench.lock
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra otel -c requirements.lock -o requirements-otel.lock
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra bench --extra otel --group dev -c requirements-bench.lock -c requirements-otel.lock \
		-o requirements-dev.lock
	for wanted in tests/sdk/environments/*.in; do $(COMPILE) $$wanted --override tests/sdk/environments/overrides.txt $(if $(UPGRADE),--upgrade) -o $${wanted%.in}.lock || exit; done
