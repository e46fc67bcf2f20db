"""The part of GitHub's REST API that our workflows, scripts and notebooks use."""
