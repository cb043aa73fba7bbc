# Everything runs in .venv, which any target creates: only Python >= 3.11 and make are needed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# two test workers share the cores: one BLAS thread each
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test slow lint bench docs clean
.PHONY: mutate test-lowest test-newest rounding

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "gaussequiv needs Python >= 3.11, but this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	touch $(STAMP)

.venv/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch .venv/.docs

demo: $(STAMP)
	$(BIN)/python examples/demo.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(ONE_THREAD) $(BIN)/pytest -n 2 -m 'not slow'

slow: $(STAMP)
	$(ONE_THREAD) $(BIN)/pytest -n 2 -m slow

# small wrong changes of the code: does a test notice? make mutate COUNT=100 SEED=1 ROOMS=numerics,learners
COUNT ?= 60
SEED ?= 0
JOBS ?= 2
ROOMS ?=
mutate: $(STAMP)
	$(ONE_THREAD) $(BIN)/python -m benchmarks.mutation --count $(COUNT) --seed $(SEED) --jobs $(JOBS) $(if $(ROOMS),--rooms $(ROOMS))

# the fast tests (or TESTS=...) with the oldest and the newest releases that pyproject.toml allows
TESTS ?=
.venv-lowest/.installed: pyproject.toml
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct -e '.[test]'
	touch $@

# old releases may warn where new ones do not
test-lowest: .venv-lowest/.installed
	$(ONE_THREAD) .venv-lowest/bin/pytest -n 2 -m 'not slow' -o filterwarnings=default $(TESTS)

test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade uv
	.venv-newest/bin/uv pip install --quiet --python .venv-newest/bin/python --upgrade -e '.[test]'
	$(ONE_THREAD) .venv-newest/bin/pytest -n 2 -m 'not slow' $(TESTS)

# the finite fits under the rounding of other processors
rounding: $(STAMP)
	$(BIN)/python -m benchmarks.rounding

.venv/.bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	touch .venv/.bench

bench: .venv/.bench
	$(BIN)/python -m benchmarks

docs: .venv/.docs
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

clean:
	rm -rf .venv .venv-lowest .venv-newest build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
