"""The service on one machine: `python -m infra.local` is what `make run` calls."""
