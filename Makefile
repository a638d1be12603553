# make demo   a simulated pump fails before your eyes      make test   all tests
# make lint   format, types, imports                       make models train and export models/default from a seed
# make bench  speed and detection against their targets    make soak   24 h of sound, 50 device faults, 400 kills
# make release  wheel, wheelhouse for x86-64 and Arm, bill of materials; make audit: known vulnerabilities
# make docs   the documentation site, into build/site      make hub-demo  hub and gateways once round, in a browser
# make deb    the Debian package, into dist/               make speech train and export models/speech from a seed
PYTHON ?= python3
BIN := .venv/bin
export PYTHON

.PHONY: demo test lint models speech deb release audit docs hub-demo bench soak clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,6s/^# //p' Makefile

demo:
	@tools/bootstrap demo
	@$(BIN)/edge-agent demo

test:
	@tools/bootstrap test
	$(BIN)/pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

lint:
	@tools/bootstrap test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

models:
	@tools/bootstrap train
	$(BIN)/python -m training_hub.training.make_models

speech:
	@tools/bootstrap train
	$(BIN)/python -m training_hub.speech.train

deb:
	@tools/bootstrap test
	$(BIN)/python -m deploy.debian.build_deb $(DEB_ARGS)

release:
	@tools/bootstrap test
	$(BIN)/python -m deploy.release.lock --check
	$(BIN)/python -m deploy.release.wheelhouse --out dist/wheelhouse
	$(BIN)/python -m deploy.release.sbom --wheelhouse dist/wheelhouse --out dist/edge-agent.cdx.json

docs:
	@tools/bootstrap test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

hub-demo:
	@tools/bootstrap test
	$(BIN)/python -m tests.hub_demo $(HUB_DEMO_ARGS)

audit:
	@tools/bootstrap test
	$(BIN)/python -m deploy.release.audit

bench:
	@tools/bootstrap test
	$(BIN)/python -m benchmarks.speed.replay
	$(BIN)/python -m benchmarks.speed.startup
	$(BIN)/python -m benchmarks.speed.live
	$(BIN)/python -m benchmarks.speed.simulate
	$(BIN)/python -m benchmarks.speed.page
	$(BIN)/python -m benchmarks.speed.peers --check
	$(BIN)/python -m benchmarks.detection.must_show
	$(BIN)/python -m benchmarks.detection.input_health

soak:
	@tools/bootstrap test
	$(BIN)/python -m benchmarks.soak.capture
	$(BIN)/python -m tests.faults.capture_chaos --faults 50
	$(BIN)/python -m tests.faults.delivery_chaos --kills 200
	$(BIN)/python -m tests.faults.agent_chaos --kills 200
	$(BIN)/python -m benchmarks.soak.outage
	$(BIN)/python -m tests.faults.hub_chaos --kills 50

clean:
	rm -rf .venv .cache build dist *.egg-info
