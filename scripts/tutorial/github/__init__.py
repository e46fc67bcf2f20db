"""The local GitHub: a bare repository, and a runner that rehearses the workflows of what is pushed."""
