# make book       build the site from the stored outputs and print where it is
# make test       re-run every notebook and compare, then every other test
# make test-fast  the same without re-running the notebooks
# make mutants    plant mistakes in the definitions and see the tests catch them; ONLY="07 attend" for some
# make run NB=02  execute one chapter in place
# make study NAME=letter_rnn   run one study and store its result
# make serve      serve the built site on http://localhost:8000
# Set-up (a virtual environment in .venv) happens once, by itself.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PAGE := _build/html/index.html

.PHONY: help book test test-fast mutants run study recaps constraints lint serve clean
help:
	@sed -n '1,/^$$/s/^# //p' Makefile

$(READY): requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else "This book needs Python 3.11 or newer, and %s is %d.%d. Name another one: make $(MAKECMDGOALS) PYTHON=python3.11" % ("$(PYTHON)", *v))'
	@echo "Setting up $(VENV) (once, a few minutes)"
	$(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --requirement requirements.txt
	@touch $@

book: $(READY)
	$(VENV)/bin/jupyter-book build . --all -W -n --keep-going
	@echo "The book: file://$(CURDIR)/$(PAGE)"

test: $(READY)
	$(PY) -m pytest --nbval -n 2 --dist loadfile notebooks tests

test-fast: $(READY)
	$(PY) -m pytest -n 2 --dist loadfile tests

mutants: $(READY)
	$(PY) tools/mutants.py $(ONLY)

run: $(READY)
	@test -n "$(NB)" || { echo "Name a chapter: make run NB=02"; exit 2; }
	$(PY) tools/execute.py $(NB)

study: $(READY)
	@test -n "$(NAME)" || { echo "Name a study: make study NAME=letter_rnn"; exit 2; }
	$(PY) tools/study.py $(NAME)

recaps: $(READY)
	$(PY) tools/recaps.py

constraints: $(READY)
	{ echo "# What requirements.txt brings along, pinned as tested: make constraints writes this file from .venv."; \
	  $(PY) -m pip list --format=freeze | grep -viE "^(torch|pip|setuptools|wheel)=="; } > constraints.txt

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

serve: book
	$(PY) -m http.server 8000 --bind 127.0.0.1 --directory _build/html

clean:
	rm -rf _build build
