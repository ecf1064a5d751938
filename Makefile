# make book       build the site from the stored outputs and print where it is
# make test       re-run every notebook and compare, then every other test
# make test-fast  the same without re-running the notebooks
# make mutants    plant mistakes in the definitions and see the tests catch them; ONLY="07 attend" for some
# make run NB=02  execute one chapter in place; ELSEWHERE=1 once more with other arithmetic, to tag what depends on a training
# make study NAME=letter_regularised   run one study and store its result
# make recaps     write the copies of definitions and studies that chapters borrow
# make lint       the form of the code, in seconds
# make pdf        print the whole book into one file, which the front page then offers; needs Chromium
# make serve      serve the built site on http://localhost:8000
# make setup      set up .venv for all of these (book needs less: .venv-site)
# Set-up happens by itself, once, and again when the requirements change. TORCH_INDEX= takes torch from the usual index.

PYTHON ?= python3
PY := .venv/bin/python
SITE := .venv-site/bin
PAGE := _build/html/index.html
# A Python that somebody names is the one to use; otherwise any environment that is ready will do.
SETUP := $(PYTHON) tools/setup.py $(if $(filter command environment,$(firstword $(origin PYTHON))),--named)
export MAKECMDGOALS

.PHONY: help setup setup-site book pdf test test-fast mutants run study recaps constraints lint serve clean
help:
	@sed -n '1,/^$$/s/^# //p' Makefile

setup:
	@$(SETUP)

setup-site:
	@$(SETUP) site

book: setup-site
	$(SITE)/jupyter-book build . --all -W -n --keep-going
	@echo "The book: file://$(CURDIR)/$(PAGE)"

# Without Chromium it ends before the site is built.
pdf: export BOOK_PDF = 1
pdf: setup-site
	$(SITE)/python tools/pdf.py --check
	$(MAKE) book
	$(SITE)/python tools/pdf.py

test: setup
	$(PY) -m pytest --nbval -n 2 --dist loadfile notebooks tests

test-fast: setup
	$(PY) -m pytest -n 2 --dist loadfile tests

mutants: setup
	$(PY) tools/mutants.py $(ONLY)

run: setup
	@test -n "$(NB)" || { echo "Name a chapter: make run NB=02"; exit 2; }
	$(PY) tools/execute.py $(NB) $(if $(ELSEWHERE),--elsewhere)

study: setup
	@test -n "$(NAME)" || { echo "Name a study: make study NAME=letter_regularised"; exit 2; }
	$(PY) tools/study.py $(NAME)

recaps: setup
	$(PY) tools/recaps.py

constraints: setup
	$(PY) tools/setup.py constraints

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

serve: book
	$(SITE)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

clean:
	rm -rf _build build
