# From nothing to a first answer: make demo. Everything: make test.

SHELL     = /bin/bash
PG_CONFIG ?= pg_config
# mostly .venv/bin/ruattn
RUATTN    = "$$(python3 ruattn_fdw/server/bootstrap.py --command)"

.PHONY: build demo test test-long test-container bench install lint clean

build:
	@command -v python3 >/dev/null || { \
	  echo "python3 is missing; on Debian and Ubuntu install all that is needed with"; \
	  echo "    apt-get install -y python3 python3-dev python3-venv gcc"; exit 1; }
	@python3 ruattn_fdw/server/bootstrap.py embedded test $(EXTRAS)

demo: build
	@$(RUATTN) demo

# one of them with the library preloaded, as many servers will have it: sessions then start at once
test: EXTRAS = rerank models
test: build
	@.venv/bin/pytest -n auto --pg=18 --pg=16 --preload=16

# what takes minutes: 10,000 random steps with each kind of attention index, and without one; 20,000 random queries;
# 50 sessions at once
test-long: build
	@.venv/bin/pytest --pg=18 --pg=16 -m long

# the image: its tests, its size, what it does; by Docker, or by Podman where there is neither engine nor registry
test-container: build
	@tests/container/run.sh

# make bench ONLY="overhead search" FLAGS="--json figures.json --picture figures.png"
# the peers are big and not made for every machine: without them the run says so and goes on
bench: build
	@python3 ruattn_fdw/server/bootstrap.py bench || echo "NOT MEASURED: peers that are not installed"
	@.venv/bin/python benchmarks/run.py $(ONLY) $(FLAGS)

install: build
	@$(RUATTN) install --pg-config "$(PG_CONFIG)"

lint:
	@python3 ruattn_fdw/server/bootstrap.py embedded test lint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	cd / && "$(CURDIR)/.venv/bin/mypy" --config-file "$(CURDIR)/pyproject.toml" --cache-dir "$(CURDIR)/.mypy_cache" -p ruattn_fdw

# root's environment may lie elsewhere, with .venv a link to it
clean:
	@case "$$(readlink .venv)" in /var/lib/ruattn-fdw/env-*) rm -rf "$$(readlink .venv)";; esac
	rm -rf .venv .pytest_cache .hypothesis .mypy_cache .ruff_cache
