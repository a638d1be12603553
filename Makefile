PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup test
setup:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e '.[dev,demo]'
test: setup
	$(BIN)/pytest
