#!/usr/bin/env bash
# What a graphics card makes of Headroom, in one run: calibration, memory against the plan, the
# driver's allocations, faults, a neighbour that pushes, latency. Prints the log for bench/results/gpu.md.
#
#   bench/gpu.sh [--backend cuda|vulkan]              builds what is missing, and measures
#   bench/gpu.sh [--backend …] --pack FOLDER          builds, and puts into FOLDER what another
#                                                     machine without network and tools needs
#   bench/gpu.sh [--backend …] --from FOLDER          measures with that, building nothing
#   … --trial         small models and few runs: for software Vulkan
#   … --device NAME   one of several
#
# A pack has two parts, programs and weights; a machine may be sent one after the other. Its programs
# are for any x86-64 processor with AVX2; CUDA's own libraries are looked for on that machine. The
# Canary is made there, with random weights (python3 with numpy); Whisper is whisper-base.
# HEADROOM_BUILD is a build folder to be used as it is (build/gpu), HEADROOM_WHISPER a model in place of base.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${HEADROOM_BUILD:-$root/build/gpu}
backend=cuda pack='' from='' trial='' device=''
while [ $# -gt 0 ]; do
  case $1 in
    --backend) backend=$2; shift ;;
    --pack) pack=$2; shift ;;
    --from) from=$(cd "$2" && pwd); shift ;;
    --device) device=$2; shift ;;
    --trial) trial=1 ;;
    *) sed -n '2,18s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
  shift
done
case $backend in cuda | vulkan) ;; *) echo "gpu: $backend: cuda and vulkan are" >&2; exit 2 ;; esac
worker=headroom-worker-$backend
programs=("$worker" headroom-worker-cpu headroom-worker-sim headroom-probe) # and headroom, which stays out of packs

step() { printf '== %s\n' "$*" >&2; }

# Where the programs, the parts of the bench, the generator, the spoken sample and Whisper are.
if [ -n "$from" ]; then
  bin=$from/programs/bin parts=$from/programs/bench tests=$from/programs/tests engine=$from/programs/engine
  export PYTHONPATH=$from/programs/python${PYTHONPATH:+:$PYTHONPATH}
  whisper=$(echo "$from"/weights/*.gguf)
  # CUDA's libraries are too large to be carried: the toolkit's, or those of a Python package.
  libraries=$from/programs/lib
  for name in libcudart.so libcublas.so libcublasLt.so; do
    found=$(find / -xdev -name "$name.1[0-9]" -not -path '/proc/*' 2>/dev/null | sort | tail -1 || true)
    [ -z "$found" ] || libraries=$libraries:$(dirname "$found")
  done
  export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  python=python3
else
  "$root/cmake/packages.sh" test program $([ "$backend" = vulkan ] && echo vulkan)
  if [ -n "$pack" ] && [ -z "${HEADROOM_BUILD:-}" ]; then
    export HEADROOM_ENGINE_OPTIONS="${HEADROOM_ENGINE_OPTIONS:-} -DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON"
  fi
  step "building"
  engine=$("$root/cmake/engine.sh" | tail -1)
  [ -n "${HEADROOM_BUILD:-}" ] ||
    (cd "$root" && cmake --preset release -B "$build" "-DHEADROOM_${backend^^}=ON" >/dev/null)
  ninja -C "$build" --quiet bin/headroom "${programs[@]/#/bin/}" bench_gpu >&2
  bin=$build/bin parts=$build/bench tests=$root/tests
  whisper=${HEADROOM_WHISPER:-}
  if [ -z "$whisper" ]; then
    HEADROOM_HUB=off "$bin/headroom" models path whisper-base:F16 >/dev/null 2>&1 || HEADROOM_HUB=off "$bin/headroom" models pull whisper-base >&2
    # Of the quantisations the one that fits what can be sent.
    "$bin/headroom" models path whisper-base:Q5_K_M >/dev/null 2>&1 || "$bin/headroom" models quantize whisper-base:F16 Q5_K_M >&2
    whisper=$("$bin/headroom" models path whisper-base:Q5_K_M)
  fi
  python=$("$root/tests/venv.sh" numpy gguf)
fi
export HEADROOM_LIBEXEC=$bin HEADROOM_TEST_ENGINE=$engine

if [ -n "$pack" ]; then
  rm -rf "$pack/programs" "$pack/weights"
  mkdir -p "$pack"/programs/{bin,bench,tests,lib,python,engine/samples} "$pack/weights"
  cp "${programs[@]/#/$bin/}" "$pack/programs/bin/"
  cp "$parts"/{bench_gpu,bench_ballast,driver_ledger.so} "$pack/programs/bench/"
  strip "$pack"/programs/bin/* "$pack"/programs/bench/*
  cp "$root/tests/make_canary.py" "$pack/programs/tests/"
  cp "$engine/samples/jfk.wav" "$pack/programs/engine/samples/"
  cp -r "$("$python" -c 'import gguf, os; print(os.path.dirname(gguf.__file__))')" "$pack/programs/python/"
  # Everything but what belongs to the system, the driver and CUDA.
  ldd "$pack"/programs/bin/* "$pack"/programs/bench/* 2>/dev/null | awk '/=> \//{print $3}' | sort -u |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|libstdc\+\+|libgcc_s|ld-linux-x86-64|libcuda|libcudart|libcublas|libcublasLt)\.so' |
    xargs -I{} cp -L {} "$pack/programs/lib/"
  cp "$whisper" "$pack/weights/"
  cp "$0" "$pack/"
  du -shL "$pack"/programs "$pack"/weights
  echo "on that machine: bash $(basename "$pack")/gpu.sh --backend $backend --from $(basename "$pack")"
  exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Plans and calibrations of this run only; what is measured must not depend on what was before.
export XDG_CACHE_HOME=$scratch/cache TMPDIR=$scratch
arguments=("--worker=$worker" "--parts=$parts" "--whisper=$whisper" ${device:+"--device=$device"})
if [ -n "$trial" ]; then
  canary=$scratch/canary-silent-Q8_0.gguf
  "$python" "$tests/make_canary.py" silent q8_0 "$canary"
  arguments+=("--utterances=5" "--chunk=6")
  software=$(echo /usr/share/vulkan/icd.d/lvp_icd.*.json)
  export VK_ICD_FILENAMES=$software VK_DRIVER_FILES=$software GGML_VK_VISIBLE_DEVICES=0
else
  canary=$scratch/canary-1b-random-Q8_0.gguf
  step "making a Canary of the shape of 1b with random weights"
  "$python" "$tests/make_canary.py" 1b q8_0 "$canary"
fi
printf 'Made by `bench/gpu.sh --backend %s%s` on %s, Linux %s.\n\n' "$backend" "${trial:+ --trial}" "$(date -u +%F)" "$(uname -r)"
nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv 2>/dev/null | sed 's/^/    /' || true
[ ! -x "$bin/headroom" ] || "$bin/headroom" doctor 2>/dev/null | grep -A2 'card worker' | sed 's/^/    /' || true
"$parts/bench_gpu" "${arguments[@]}" "--canary=$canary"
