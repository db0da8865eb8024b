#!/usr/bin/env bash
# venv.sh PACKAGE…: makes the project's virtual environment if needed, installs those packages at the
# versions requirements.txt pins, and prints the path of its python.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/build/venv
python=$venv/bin/python
mkdir -p "$root/build"
exec 9>"$root/build/venv.lock"
flock 9
[ -x "$python" ] || python3 -m venv "$venv" >&2
for package in "$@"; do
  pin=$(grep -E "^$package==" "$root/requirements.txt") || { echo "venv: $package is not pinned" >&2; exit 1; }
  [ -e "$venv/.$pin" ] && continue
  echo "venv: installing $pin" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check -c "$root/requirements.txt" "$pin" >&2
  touch "$venv/.$pin"
done
printf '%s\n' "$python"
