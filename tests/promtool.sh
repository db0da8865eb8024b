#!/usr/bin/env bash
# Prints the path of promtool: the installed one, else that of the distribution's package, unpacked into
# the cache and not installed, since that would start a server. Fails where neither can be had.
set -euo pipefail
command -v promtool && exit
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headroom/promtool
if [ ! -x "$cache/promtool" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get -qq download prometheus && dpkg -x prometheus_*.deb .) >&2
  mkdir -p "$cache"
  mv "$work/usr/bin/promtool" "$cache/promtool.$$"
  mv "$cache/promtool.$$" "$cache/promtool"
fi
printf '%s\n' "$cache/promtool"
