# The image of the app: what it needs in order to run, and nothing else.
# The base is an argument: who builds may name another one.
ARG BASE=python:3.13-slim
FROM ${BASE}

# What the app prints is in the log at once, also when it crashes a moment later.
ENV PYTHONUNBUFFERED=1
# Memory that a former model leaves free goes back: else every new model costs another 50 MB.
ENV MALLOC_MMAP_THRESHOLD_=131072

# Whoever breaks into the app is not root. The app has no right to change its own files.
RUN useradd --create-home app

WORKDIR /app

# Packages before code: this slow layer is made again only when the requirements change.
COPY app/requirements.txt app/
RUN pip install --no-cache-dir --root-user-action=ignore -r app/requirements.txt

# The app, its settings and the model. Nothing else: see .dockerignore.
COPY . .

# .streamlit/config.toml says loopback; in a container, nobody outside could reach that.
ENV STREAMLIT_SERVER_ADDRESS=0.0.0.0

USER app

# The platform chooses the port. `exec` replaces the shell, so that the signal to stop reaches Python.
CMD exec python -m streamlit run app/main.py --server.port ${PORT:-8501}
