#!/usr/bin/env bash
# packages.sh [SECTION…]: installs what is missing of packages.apt, the unnamed part and the sections.
set -euo pipefail
list=$(dirname "$0")/../packages.apt
wanted=$(awk -v sections=" $* " '
  /^[[:space:]]*(#|$)/ { next }
  /^\[/ { gsub(/[][]/, ""); section = $1; next }
  section == "" || index(sections, " " section " ") { print $1 }' "$list")
# a|b: the one that is installed, else the first that apt knows.
for word in $wanted; do
  [[ $word == *'|'* ]] || continue
  choice=
  for one in ${word//|/ }; do
    if dpkg-query -W -f='${db:Status-Abbrev}' "$one" 2>/dev/null | grep -q ^ii; then choice=$one && break; fi
    [ -n "$choice" ] || { apt-cache show "$one" >/dev/null 2>&1 && choice=$one; }
  done
  wanted=${wanted/"$word"/"${choice:-${word%%|*}}"}
done
# shellcheck disable=SC2086 # a list of words
missing=$(comm -23 <(printf '%s\n' $wanted | sort -u) \
  <(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null | awk '$1 == "ii" {print $2}' | sort -u))
[ -z "$missing" ] && exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "packages: need root to install:" $missing >&2; exit 1; }
  as_root=sudo
fi
echo "packages: installing" $missing >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
$as_root apt-get -qq update >"$log" 2>&1 ||
  echo "packages: apt-get update failed; trying with the lists at hand" >&2
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
  --no-install-recommends $missing >"$log" 2>&1 ||
  { tail -20 "$log" >&2; echo "packages: apt-get could not install them; the reason is above" >&2; exit 1; }
