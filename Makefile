# Two commands on a machine with Python 3.11 and make:
#   make demo   sets everything up, runs the whole loop, serves the site
#   make test   sets everything up, runs the tests
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
NODE := $(shell command -v node)

.PHONY: demo up test bench lint types format screenshots messages clean help

help:  ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer must be installed" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what Lenticular needs into $(VENV) (about two minutes) ..."
	$(PIP) --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) --editable '.[dev]'
	@touch $@

node_modules/.ready: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	@touch $@

demo: $(VENV)/.ready  ## Run the whole loop on drawn galaxies, then serve the site
	@exec $(RUN) manage.py demo

up: $(VENV)/.ready  ## Serve the site with one worker, on SQLite
	@exec $(RUN) manage.py up

# A worker for each core: threads of theirs would wait for each other.
test: $(VENV)/.ready-dev  ## Run every test
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --dist loadfile
ifneq ($(NODE),)
	$(MAKE) --no-print-directory test-js
else
	@test -z "$(CI)" || { echo "CI needs node for the front end's tests" >&2; exit 1; }
	@echo "front end's own tests skipped: node is not installed"
endif

.PHONY: test-js
test-js:
	$(NODE) --test frontend/tests/

lint: $(VENV)/.ready-dev  ## ruff, mypy --strict, import-linter, tsc
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) manage.py makemigrations --check --dry-run --settings lenticular.settings.test
ifneq ($(NODE),)
	$(MAKE) --no-print-directory types
else
	@test -z "$(CI)" || { echo "CI needs node to check the front end's types" >&2; exit 1; }
	@echo "front end's types not checked: node is not installed"
endif

types: node_modules/.ready
	npx tsc --project tsconfig.json

format: $(VENV)/.ready-dev  ## Format the code
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(VENV)/.ready-dev  ## Print the benchmarks' tables
	$(RUN) tests/benchmarks

screenshots: $(VENV)/.ready-dev  ## Make the pictures in docs/images again
	LENTICULAR_SCREENSHOTS=docs/images $(RUN) -m pytest tests/browser

messages: $(VENV)/.ready-dev  ## Take new strings into the translations; compile them
	$(RUN) manage.py makemessages --settings lenticular.settings.test --locale zh_Hant --locale zh_Hans \
		--no-wrap --no-obsolete --add-location file --ignore .venv --ignore node_modules --ignore tests
	sed -i.old '/^"POT-Creation-Date/d;/^"Report-Msgid/d' frontend/locale/*/LC_MESSAGES/django.po
	rm frontend/locale/*/LC_MESSAGES/*.old
	$(RUN) manage.py compilemessages --settings lenticular.settings.test --ignore .venv \
		--locale zh_Hant --locale zh_Hans

clean:  ## Remove what the demo and the tests left (not the virtual environment)
	rm -rf var build node_modules .mypy_cache .ruff_cache .hypothesis
