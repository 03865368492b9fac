# Every target does its own set-up. It needs Python 3.11+, git and make; what it makes lies in .venv and .demo.
#     make demo PYTHON=python3.12         names the Python
#     make demo AS_PORT=5101 API_PORT=5105    names the demo's ports
#     make demo-web WEB_PORT=5110 AS_PORT=5101    likewise
#     make test ARGS="-k proof"           passes words on to pytest

AS_PORT = 5001
API_PORT = 5005
WEB_PORT = 5010
ARGS =
SHELL = /bin/sh
python = .venv/bin/python

# A terminal that knows no check mark shows a question mark.
export PYTHONIOENCODING = :replace
export PYTHON

.DEFAULT_GOAL = help
.PHONY: help demo demo-web test check format api causes docs bench faults soak clean set-up-demo set-up-docs set-up-test

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

demo: set-up-demo  ## both servers, three clients, four attacks
	@exec $(python) -m demo.run --as-port "$(AS_PORT)" --api-port "$(API_PORT)"

demo-web: set-up-demo  ## both servers and a web application to sign in to, until Ctrl-C
	@exec $(python) -m demo.run --web --as-port "$(AS_PORT)" --api-port "$(API_PORT)" --web-port "$(WEB_PORT)"

# Nothing outside the checkout is changed, whatever a tool likes to keep in its user's home. Not in .venv: an app there
# is one that is installed, says Flask, and all of them share one instance folder.
test: check  ## the linters, then every test
	@mkdir -p .venv/home .tests/tmp
	@HOME="$(CURDIR)/.venv/home" PYTEST_DEBUG_TEMPROOT="$(CURDIR)/.tests/tmp" exec $(python) -m pytest -n auto --dist worksteal $(ARGS)

check: set-up-test  ## only the linters
	@$(python) -m ruff check --quiet
	@$(python) -m ruff format --check --quiet || { echo "Some files are not formatted: make format"; exit 1; }
	@$(python) -m mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@echo "ruff, mypy and import-linter found nothing."

format: set-up-test  ## let ruff format and mend what it can
	@$(python) -m ruff format
	@$(python) -m ruff check --fix

api: set-up-test  ## write docs/api.md and docs/commands.md from the code
	@exec $(python) -m tools.api

causes: set-up-test  ## write the causes that the package knows from docs/causes.md
	@exec $(python) -m tools.causes

docs: set-up-docs  ## the documentation site in build/docs; ARGS=--tags builds that of each tag too
	@exec $(python) -m tools.site $(ARGS)

bench: set-up-test  ## server CPU per request, beside the bare signatures
	@exec $(python) -m bench.run $(ARGS)

faults: set-up-test  ## real databases frozen, workers killed, strangers who attack: minutes
	@exec $(python) -m tests.faults.run $(ARGS)

soak: set-up-test  ## four workers under good and hostile requests while everything breaks: ten minutes
	@exec $(python) -m tests.soak.run $(ARGS)

clean:  ## remove everything these targets made
	rm -rf .venv .tests .demo .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

set-up-demo:
	@tools/bootstrap.sh demo

set-up-docs:
	@tools/bootstrap.sh docs

set-up-test:
	@tools/bootstrap.sh test
