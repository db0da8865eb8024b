#!/usr/bin/env bash
# Fetches, checks and builds the recognition engine once per (version, options, compiler, CPU).
#
#   engine.sh                 prints the folder of the finished engine on its last line of stdout
#   engine.sh --source TREE   builds that source tree instead of the published one
#   engine.sh --backend NAME  builds it with that backend besides the CPU's: vulkan or cuda
#
# What is finished is kept in $XDG_CACHE_HOME/headroom/engine/<key>, so a second clone builds nothing.
# CC, CXX and HEADROOM_ENGINE_OPTIONS (more -D… for the engine's CMake) are honoured. Progress and
# errors go to stderr.
set -euo pipefail

name=transcribe-cpp-native
version=0.4.1
sha256=9cedd9319a87cb15036d24c48777e32e5e6b82b73ea021f57cc918c0ceac7f5c
cache=${XDG_CACHE_HOME:-$HOME/.cache}/headroom
options=(
  -DCMAKE_BUILD_TYPE=Release
  -DTRANSCRIBE_BUILD_SHARED=OFF -DTRANSCRIBE_BUILD_TESTS=OFF
  -DTRANSCRIBE_BUILD_EXAMPLES=ON -DTRANSCRIBE_BUILD_TOOLS=ON # its own CLI (bench), its quantiser
  -DTRANSCRIBE_USE_OPENMP=OFF -DTRANSCRIBE_USE_SYSTEM_BLAS=OFF
  -DCMAKE_POSITION_INDEPENDENT_CODE=ON
)
# shellcheck disable=SC2206 # the variable is a list of words
options+=(${HEADROOM_ENGINE_OPTIONS:-})

say() { printf 'engine: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

source_tree=
backend=
while [ $# -ge 2 ]; do
  case $1 in
    --source)
      source_tree=$(cd "$2" && pwd) || die "$2: no such folder"
      [ -f "$source_tree/include/transcribe.h" ] || die "$source_tree: not a transcribe.cpp source tree"
      ;;
    --backend) backend=$2 ;;
    *) die "$1: unknown; the head of $0 says what there is" ;;
  esac
  shift 2
done
minutes=2
toolkit=
case $backend in
  '') ;;
  vulkan)
    command -v glslc >/dev/null || die "no glslc; apt-get install glslc libvulkan-dev spirv-headers"
    toolkit=$(glslc --version)
    minutes=5
    ;;
  cuda)
    nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
    [ -x "$nvcc" ] || die "no nvcc; install NVIDIA's CUDA toolkit, or say CUDACXX=/path/to/nvcc"
    toolkit=$("$nvcc" --version)
    options+=("-DCMAKE_CUDA_COMPILER=$nvcc")
    # Only for the cards that are here: all that the toolkit knows would take an hour.
    cards=${HEADROOM_CUDA_ARCHITECTURES:-$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader |
      tr -d . | sort -u | paste -sd';')}
    [ -n "$cards" ] || die "no card to build for; say HEADROOM_CUDA_ARCHITECTURES=86 or the like"
    options+=("-DCMAKE_CUDA_ARCHITECTURES=$cards")
    minutes=30
    ;;
  *) die "$backend: no such backend; vulkan and cuda are" ;;
esac
if [ -n "$backend" ]; then
  options+=("-DTRANSCRIBE_${backend^^}=ON" -DTRANSCRIBE_BUILD_EXAMPLES=OFF -DTRANSCRIBE_BUILD_TOOLS=OFF)
fi

# The engine is compiled for this very CPU (GGML_NATIVE), so another CPU must not find this build.
cpu=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo | cut -d: -f2 | tr ' ' '\n' | sort | tr '\n' ' ')
compiler=$("${CXX:-c++}" -E -dM -x c++ /dev/null | grep -w __VERSION__)
key=$(printf '%s\n' "$sha256" "$source_tree" "${options[@]}" "$compiler" "$cpu" "v1" ${toolkit:+"$toolkit"} | sha256sum | cut -c1-16)
place=$cache/engine/$version-${backend:+$backend-}$key
mkdir -p "$cache/engine"

archive=$cache/engine/${name//-/_}-$version.tar.gz
fetch_archive() {
  printf '%s  %s\n' "$sha256" "$archive" | sha256sum --check --status 2>/dev/null && return
  say "fetching $name $version (4.5 MB) from the Python package index"
  python3 -m venv "$work/venv" >&2 || die "python3 -m venv failed; is python3-venv installed?"
  "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps \
    --no-binary "$name" --dest "$work/sdist" "$name==$version" >&2 ||
    die "could not fetch $name; check the network, then run this again"
  mv "$work"/sdist/*.tar.gz "$archive"
  printf '%s  %s\n' "$sha256" "$archive" | sha256sum --check --status ||
    { rm -f "$archive"; die "$archive had the wrong sha256 and was deleted; run this again"; }
}
# Headers that the engine does not install: src/asr/overrides compiles against them, so that a changed
# declaration is a compile error. Copied whole, since they include each other.
copy_private_headers() { # FROM a source tree TO a prefix
  (cd "$1" && find src ggml/src ggml/src/ggml-cpu -maxdepth 1 -name '*.h' -print0 &&
    find src/arch src/conformer ggml/src/ggml-cpu/llamafile -name '*.h' -print0) |
    sort -zu | tar -C "$1" --null -cf - -T - | (mkdir -p "$2/private" && tar -C "$2/private" -xf -)
}

exec 9>"$place.lock"
flock -n 9 || { say "another build is at it; waiting"; flock 9; }
if [ -f "$place/.finished" ] && [ -z "$source_tree" ]; then
  if [ ! -d "$place/private" ]; then # built before private headers were kept
    work=$(mktemp -d "$cache/engine/headers.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    fetch_archive
    mkdir "$work/source"
    tar -xzf "$archive" -C "$work/source" --strip-components=1
    copy_private_headers "$work/source" "$work"
    mv "$work/private" "$place/private"
  fi
  printf '%s\n' "$place"
  exit 0
fi

work=$(mktemp -d "$cache/engine/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ -z "$source_tree" ]; then
  fetch_archive
  mkdir "$work/source"
  tar -xzf "$archive" -C "$work/source" --strip-components=1
  source_tree=$work/source
  if [ "$backend" = vulkan ] && ! grep -qs VkLayerSettingEXT /usr/include/vulkan/vulkan_core.h; then
    # Debian 12's headers do not have the settings of the validation layer, which is not used here.
    sed -i -e '/vk::LayerSettingEXT> settings = {/,/layer_setting_info(settings);/d' \
      -e 's/, &layer_setting_info)/)/' "$source_tree/ggml/src/ggml-vulkan/ggml-vulkan.cpp"
  fi
fi

say "building${backend:+ with $backend} (about $minutes minutes on 2 cores, once)"
log=$place.log
cmake -S "$source_tree" -B "$work/build" -G Ninja "${options[@]}" \
  -DCMAKE_INSTALL_PREFIX="$work/prefix" >"$log" 2>&1 || { tail -20 "$log" >&2; die "configure failed; see $log"; }
if [ -t 2 ]; then
  NINJA_STATUS='engine: %f/%t ' cmake --build "$work/build" 2>&1 | tee -a "$log" | while IFS= read -r line; do
    printf '\r\033[K%.100s' "$line" >&2
  done || { printf '\n' >&2; tail -20 "$log" >&2; die "build failed; see $log"; }
  printf '\r\033[K' >&2
else
  cmake --build "$work/build" >>"$log" 2>&1 || { tail -20 "$log" >&2; die "build failed; see $log"; }
fi
cmake --install "$work/build" >>"$log" 2>&1 || { tail -20 "$log" >&2; die "install failed; see $log"; }

# Beyond its public headers, the worker hooks the device interface, and the tests want the sample.
cp "$source_tree"/ggml/src/ggml-backend-impl.h "$source_tree"/ggml/src/ggml-impl.h "$work/prefix/include/"
copy_private_headers "$source_tree" "$work/prefix"
mkdir -p "$work/prefix/bin" "$work/prefix/samples"
[ -n "$backend" ] || cp "$work"/build/bin/transcribe-{quantize,cli} "$work/prefix/bin/"
cp "$source_tree/samples/jfk.wav" "$work/prefix/samples/"
cp "$source_tree/LICENSE" "$work/prefix/LICENSE"
touch "$work/prefix/.finished"
rm -rf "$place"
mv "$work/prefix" "$place"
say "ready in $place"
printf '%s\n' "$place"
