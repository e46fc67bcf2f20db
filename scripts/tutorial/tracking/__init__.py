"""The laptop's tracking server: what `mlflow_setup.py host` installs, run by the local cloud's supervisor."""
