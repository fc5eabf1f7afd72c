# Needs Python >= 3.11, make and a package registry; everything else is installed into .venv.

PYTHON ?= python3
PYTEST_ARGS ?=
SECONDS ?= 600
SEED ?= 0
INPUTS ?=
KILL_ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Progress for people; on a log, only what goes wrong.
QUIET := $(shell test -t 2 || echo --quiet)
# Their presence says what is installed; pyproject.toml being newer makes pip look again.
DEMO := .venv/.installed-demo
DEV := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs docs-check smoke paper real-speech kill-test fuzz benchmarks clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A usable .venv is kept as it is; one without pip (an interrupted start) is completed.
define venv
	@$(PIP) --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11" >&2; exit 2; }; \
	  echo "Making .venv: about 5 GB, most of it torch; this takes some minutes."; \
	  $(PYTHON) -m venv .venv; }
endef

$(DEMO): pyproject.toml
	$(venv)
	$(PIP) install $(QUIET) --editable '.[demo]'
	@touch $@

$(DEV): pyproject.toml
	$(venv)
	$(PIP) install $(QUIET) --editable '.[demo,ray,dev]'
	@touch $(DEMO) $@

demo: $(DEMO) ## the three stages on the embedded corpus of synthetic speech, into runs/demo
	$(BIN)/synergy run --workspace runs/demo --rounds 0
	@echo 'Run it again and nothing is trained twice. Next: $(BIN)/synergy --help'

# Reordered, a file with one long test would come last and leave the other process idle. After the
# death of a process pytest-xdist 3.8 can wait for ever for what that one had left (its issue 1378).
test: $(DEV) ## the test suite, on two processes with one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --max-worker-restart 0 \
	  --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(DEV) ## ruff (rules and format) and pyright
	@status=0; set -x; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/pyright || status=1; \
	{ set +x; } 2>/dev/null; exit $$status

docs: $(DEV) ## write the generated pages of docs/
	$(BIN)/python docs/generate.py

docs-check: $(DEV) ## fail when a generated page of docs/ is stale
	$(BIN)/python docs/generate.py --check

smoke: $(DEV) ## build the wheel and use it from an empty environment in another folder
	.ci/smoke $(BIN)/python

# Plain and distilled tree of one table, then everything else beside them. Exit code 1 of
# synthesize: no tree kept the threshold; all is written and the comparison wanted all the same.
define after_pairs
	$(BIN)/synergy synthesize --workspace $(1) --distill || [ $$? -eq 1 ]
	$(BIN)/synergy compare --workspace $(1)
	$(BIN)/synergy report --workspace $(1)
endef

paper: $(DEMO) ## long: every table of the paper on the embedded corpus, into runs/paper
	$(BIN)/synergy run --workspace runs/paper --seeds 3
	$(call after_pairs,runs/paper)

real-speech: $(DEMO) ## long: the same on the recordings below SYNERGY_DATA
	@test -d "$$SYNERGY_DATA" || { \
	  echo "SYNERGY_DATA: expected the folder of the speech corpora, found '$$SYNERGY_DATA'" >&2; exit 2; }
	$(BIN)/synergy run --config examples/real_speech.yaml --workspace runs/real_speech
	$(call after_pairs,runs/real_speech)

kill-test: $(DEV) ## long: commands killed at every file operation and at random moments, started again
	OMP_NUM_THREADS=1 SYNERGY_KILLS=20 SYNERGY_STORMS=60 \
	  $(BIN)/python -m pytest -q -s tests/test_killed.py tests/test_signals.py
	$(BIN)/python tests/kill_everywhere.py --jobs 2 $(KILL_ARGS)

fuzz: $(DEV) ## spoiled inputs for SECONDS=600, or INPUTS=100000 of them; SEED=0; findings in runs/fuzz
	$(BIN)/python -m tests.fuzz --seed $(SEED) $(if $(INPUTS),--inputs $(INPUTS),--seconds $(SECONDS))

benchmarks: $(DEMO) ## measure training throughput, start-up time and solvers
	@set -e; for name in training_throughput help_latency solvers; do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done

clean: ## remove what tools leave behind; keeps .venv and runs/
	rm -rf build dist .benchmarks .pytest_cache .ruff_cache .hypothesis
	find synergy tests docs examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
