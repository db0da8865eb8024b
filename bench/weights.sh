#!/usr/bin/env bash
# Sourced with the name of a program of this folder: builds it, and fetches the models it needs.
# Sets HEADROOM, bench (the program) and root.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=${HEADROOM_PRESET:-release}
"$root/cmake/packages.sh" test program
HEADROOM_TEST_ENGINE=$("$root/cmake/engine.sh" | tail -1)
(cd "$root" && cmake --preset "$preset" >/dev/null)
ninja -C "$root/build/$preset" --quiet "$1" bin/headroom >&2
bench=$root/build/$preset/bench/$1
HEADROOM=$root/build/$preset/bin/headroom
export HEADROOM HEADROOM_TEST_ENGINE HEADROOM_LIBEXEC=$root/build/$preset/bin
for model in whisper-tiny.en whisper-base; do
  HEADROOM_HUB=off "$HEADROOM" models path "$model" >/dev/null 2>&1 || HEADROOM_HUB=off "$HEADROOM" models pull "$model" >&2
  for quant in Q8_0 Q5_K_M; do
    "$HEADROOM" models path "$model:$quant" >/dev/null 2>&1 || "$HEADROOM" models quantize "$model:F16" "$quant" >&2
  done
done
