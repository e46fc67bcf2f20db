# What people, hooks and CI call. Each target sets up what it needs first.
.PHONY: setup start test lint book bench

setup:
	@sh scripts/setup.sh learn

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
	.venv/bin/python -m pytest

book:
	@sh scripts/setup.sh book
	.venv/bin/tutorial book

bench:
	@sh scripts/setup.sh test
	.venv/bin/tutorial bench
