# make demo: sets up, finds objects in photos, then makes the mini set and tests the small checkpoint on it.
# make test: sets up and runs the tests.
# Both put everything into .venv, with pip as you have configured it. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
DEMO := demo_out
# bfloat16 on a processor; empty it where the processor has none: make mini-checkpoint TRAIN_FLAGS=
TRAIN_FLAGS ?= --amp
CHECK := tests/test_architecture.py tests/utils tests/formats tests/proposals tests/ilsvrc tests/validation tests/weights \
	--ignore tests/weights/test_pretrained.py --ignore tests/proposals/test_region_scores.py

.PHONY: demo test check setup mini-checkpoint clean

setup: $(READY)

# Depends on what decides the content of the environment, so that it is renewed when that changes.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "Python 3.10 to 3.14 is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --upgrade -c constraints.txt pip setuptools wheel
	$(PY) -m pip install -c constraints.txt --no-build-isolation -e '.[test]'
	@touch $@

demo: setup
	$(PY) -m det_inception demo --out-dir $(DEMO)

test: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(PY) -m pytest -n 2 --dist loadfile

# The tests that run no network, in under two minutes: for daily work.
check: setup
	$(VENV)/bin/ruff check .
	$(PY) -m pytest -n 2 --dist loadfile $(CHECK)

# Trains the small checkpoint of the demo again, from random weights.
mini-checkpoint: setup
	$(PY) tools/make_mini.py data/mini
	$(PY) tools/train.py configs/googlenet_rcnn_mini.py $(TRAIN_FLAGS)
	$(PY) tools/publish_checkpoint.py work_dirs/googlenet_rcnn_mini/epoch_16.pth checkpoints/googlenet_rcnn_mini.pth

clean:
	rm -rf $(DEMO) work_dirs data/mini build dist
