# Each target does its own set-up: .venv from the lock files in requirements/, made once.
# PYTHON=/path/to/python3 chooses the interpreter, ARGS='...' goes to the program.

VENV := PYTHON='$(PYTHON)' tools/venv.sh
BIN := .venv/bin
HOURS ?= 1
N ?= 300

.DEFAULT_GOAL := help
.PHONY: help demo test lint format simulate bench hosts dist deb rpm lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## two nodes on this machine fail over before your eyes; no root, under two minutes
	@$(VENV)
	@$(BIN)/acmd demo $(ARGS)

test: ## everything that must hold: style, types, import contracts, tests, documents (tox)
	@$(VENV) tox
	@$(BIN)/tox run $(ARGS)

lint: ## the quick part of it: style, types, import contracts
	@$(VENV) tox
	@$(BIN)/tox run -e lint,types,contracts $(ARGS)

format: ## bring the sources into the project's format
	@$(VENV) tox
	@$(BIN)/tox exec -q -e lint -- ruff format
	@$(BIN)/tox exec -q -e lint -- ruff check --fix

simulate: ## random faults against the real core for HOURS=1
	@$(VENV)
	@$(BIN)/python -m tests.simulation --hours $(HOURS) $(ARGS)

bench: ## measure everything, into docs/performance (root: all of it; ARGS=--quick, ARGS='--only NAME')
	@$(VENV)
	@$(BIN)/python tools/fuse.py
	@$(BIN)/python -m bench $(ARGS)

hosts: ## hosts with a real systemd to play with (root)
	@$(VENV)
	@$(BIN)/python -m tests.hosts $(ARGS)

dist: ## wheel and sdist, into dist/
	@$(VENV)
	@$(BIN)/python -m tools.pack dist $(ARGS)

deb: ## the Debian package, into dist/ (needs dpkg-deb)
	@$(VENV)
	@$(BIN)/python -m tools.pack deb $(ARGS)

rpm: ## the package for RHEL-like systems, into dist/ (needs rpmbuild; Debian: rpm)
	@$(VENV)
	@$(BIN)/python -m tools.pack rpm $(ARGS)

campaign: ## N=300 random faults on hosts with a real systemd, judged by a witness (root)
	@$(VENV)
	@$(BIN)/python tools/fuse.py
	@$(BIN)/python -m tests.campaign --faults $(N) $(ARGS)

soak: ## random faults for HOURS=1, what must stay flat is plotted (root)
	@$(VENV)
	@$(BIN)/python tools/fuse.py
	@$(BIN)/python -m tests.campaign --faults 100000 --hours $(HOURS) --sample $(ARGS)

lock: ## write the lock files anew from pyproject.toml; UPGRADE=1 takes newer versions
	@$(VENV) tox
	@UPGRADE='$(UPGRADE)' $(BIN)/tox run -e lock

clean: ## remove environments and caches, nothing else
	rm -rf .venv .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov build dist
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
