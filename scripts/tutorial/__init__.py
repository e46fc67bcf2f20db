"""The workshop around the workspace: the `tutorial` command, `lab` for the notebooks, the local cloud."""
