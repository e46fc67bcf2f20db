# What people, hooks and CI call. Each target sets up what it needs first.
.PHONY: setup start train test scheduled lint book links upgrade requirements bench
EXPORT = export --quiet --locked --no-hashes --no-annotate --no-header

setup:
	@sh scripts/setup.sh learn

# By papermill, logged to MLFLOW_TRACKING_URI; what it leaves is in training/.
train: setup
	@.venv/bin/python scripts/train.py

start: setup
	@.venv/bin/tutorial start

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/tutorial sync --check

test:
	@sh scripts/setup.sh test
	@$(MAKE) --no-print-directory lint
	.venv/bin/python -m pytest -n logical --max-worker-restart 0

# What takes too long for every commit: as root, the tracking server on a machine that is booted here.
scheduled:
	@sh scripts/setup.sh test
	.venv/bin/python -m pytest -m scheduled

book:
	@sh scripts/setup.sh book
	.venv/bin/tutorial book

# Ask every link of the book to another site.
links:
	@sh scripts/setup.sh book
	.venv/bin/python -m tutorial.links

# The newest packages that pyproject.toml allows; then `make test` says whether they hold.
upgrade: setup
	.venv/bin/uv lock --upgrade
	@$(MAKE) --no-print-directory requirements

# What the app, its tests, a training and the tracking server install elsewhere, in the versions of uv.lock.
requirements: setup
	.venv/bin/uv $(EXPORT) --only-group app --output-file app/requirements.txt
	.venv/bin/uv $(EXPORT) --only-group app-test --output-file tests/app/requirements.txt
	.venv/bin/uv $(EXPORT) --only-group train --output-file notebooks/requirements.txt
	.venv/bin/uv $(EXPORT) --only-group tracking --output-file infra/mlflow-requirements.txt

bench:
	@sh scripts/setup.sh test
	.venv/bin/tutorial bench
