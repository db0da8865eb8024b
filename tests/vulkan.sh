#!/usr/bin/env bash
# tests/vulkan.sh [GTEST_FILTER]: builds headroom-worker-vulkan and tests it on software Vulkan
# (Mesa's llvmpipe), the real Vulkan path without a card: bytes against the plan, texts and tensors
# against the CPU's, no allocation while speaking, killed and replaced. The first run builds the
# engine with Vulkan, which takes about five minutes on two idle cores.
# HEADROOM_TEST_ON_CARD=1 leaves the choice of the device to the driver.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/vulkan

step() { printf '== %s\n' "$*" >&2; }

"$root/cmake/packages.sh" test vulkan
engine=$("$root/cmake/engine.sh" | tail -1)
step "configuring"
(cd "$root" && cmake --preset dev -B "$build" -DHEADROOM_VULKAN=ON >/dev/null)
step "building"
NINJA_STATUS='[%f/%t] ' ninja -C "$build" --quiet headroom headroom-worker-vulkan headroom-worker-cpu \
  headroom-worker-sim device_real_test >&2
headroom=$build/bin/headroom
HEADROOM_HUB=off "$headroom" models path whisper-tiny.en:F16 >/dev/null 2>&1 ||
  HEADROOM_HUB=off "$headroom" models pull whisper-tiny.en
HEADROOM_TEST_MODEL=$("$headroom" models path whisper-tiny.en:F16)
export HEADROOM_TEST_MODEL HEADROOM_TEST_ENGINE=$engine HEADROOM_LIBEXEC=$build/bin
if [ -z "${HEADROOM_TEST_ON_CARD:-}" ]; then
  software=$(echo /usr/share/vulkan/icd.d/lvp_icd.*.json)
  # The loader of Debian 12 knows the older name only; ggml leaves software alone unless it is named.
  export VK_ICD_FILENAMES=$software VK_DRIVER_FILES=$software GGML_VK_VISIBLE_DEVICES=0
fi
step "devices: $("$build/bin/headroom-worker-vulkan" --devices 2>/dev/null)"
"$build/tests/device_real_test" --gtest_filter="${1:-*}"
