#!/usr/bin/env bash
# Builds the CUDA kernels for the GPU of this machine with nvcc, and tests and times them against PyTorch:
#   bash native/cuda/harness/run.sh [FAMILY ...]
# Neither Node.js nor TensorFlow is needed. Every family runs the cases' shapes or ROUNDS random ones, 200 by
# default. SANITIZE=1 runs the tests under compute-sanitizer as well, SANITIZE_ROUNDS shapes of each family,
# 200 by default, SANITIZE_JOBS families at a time; none longer than TIMEOUT seconds. BENCH=0 leaves the timing
# out.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD_DIR:-$here/build}
mkdir -p "$build"

arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
[ "$arch" = 90 ] && arch=90a
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader

began=$SECONDS
pids=()
for source in "$here"/../*.cu; do
  nvcc -std=c++17 -O3 -lineinfo -diag-suppress 177 "-arch=sm_$arch" -Xcompiler -fPIC -c "$source" \
    -o "$build/$(basename "$source" .cu).o" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || exit 1; done
nvcc -shared "-arch=sm_$arch" "$build"/*.o -o "$build/libmegablocks.so" || exit 1
echo "built for sm_$arch in $((SECONDS - began)) s"

export MEGABLOCKS_CUDA=$build/libmegablocks.so
export PYTHONPATH=$here OMP_NUM_THREADS=1
families=("$@")
((${#families[@]})) || families=(cases routing permutation grouped hopper experts sparse hopper_sparse attention training)

# One process a family and tool, side by side: one that hangs or crashes stops its own alone.
rm -f "$build"/*.log "$build"/*.failed
test_family() { # FAMILY TOOL
  local log=$build/$2-$1.log command=(python3 "$here/test_kernels.py" "$1")
  if [ "$2" = test ]; then
    command+=(--rounds "${ROUNDS:-200}")
  else
    # Whether memory is initialized depends on PyTorch's kernels and CUB's too; else ours are enough.
    local only=(--kernel-name kns=megablocks)
    [ "$2" = initcheck ] && only=()
    command=(compute-sanitizer --tool "$2" --error-exitcode 9 "${only[@]}" "${command[@]}"
      --rounds "${SANITIZE_ROUNDS:-200}")
    # PyTorch's own cache of memory would hide what is out of bounds or not initialized; it costs races nothing.
    [ "$2" = racecheck ] || export PYTORCH_NO_CUDA_MEMORY_CACHING=1
  fi
  timeout "${TIMEOUT:-500}" "${command[@]}" >"$log" 2>&1
  local status=$?
  echo "$2 $1: $( ((status)) && echo "FAILED ($status)" || echo passed), $(tail -n 1 "$log")"
  ((status)) && { touch "$log.failed"; tail -n 25 "$log"; }
}
for family in "${families[@]}"; do test_family "$family" test & done
wait
if [ "${SANITIZE:-0}" = 1 ]; then
  for tool in memcheck racecheck initcheck; do
    for family in "${families[@]}"; do
      while (($(jobs -rp | wc -l) >= ${SANITIZE_JOBS:-8})); do wait -n; done
      test_family "$family" "$tool" &
    done
  done
  wait
fi
failures=$(find "$build" -name '*.failed' | wc -l)

if [ "${BENCH:-1}" = 1 ]; then
  timeout 120 python3 "$here/bench_kernels.py" || { echo "FAILED: bench ($?)"; failures=1; }
fi
exit "$((failures > 0))"
