#!/usr/bin/env bash
# Builds the CUDA kernels for the GPU of this machine with nvcc, and tests and times them against PyTorch:
#   bash native/cuda/harness/run.sh [FAMILY ...]
# Neither Node.js nor TensorFlow is needed. SANITIZE=1 runs the tests under compute-sanitizer as well.
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
export PYTHONPATH=$here
failures=0
# One process a family: a kernel that hangs or crashes stops its own alone.
families=("$@")
((${#families[@]})) || families=(routing permutation grouped sparse training hopper)
for family in "${families[@]}"; do
  timeout 100 python3 "$here/test_kernels.py" "$family" || { echo "FAILED: $family ($?)"; failures=1; }
done
if [ "${SANITIZE:-0}" = 1 ]; then
  for tool in memcheck racecheck initcheck; do
    for family in "${families[@]}"; do
      # PyTorch's own cache of memory would hide what is out of bounds.
      PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout 300 compute-sanitizer --tool "$tool" --error-exitcode 9 \
        --kernel-name regex:megablocks python3 "$here/test_kernels.py" "$family" --rounds 3 >"$build/$tool.log" 2>&1 &&
        echo "$tool $family: clean" || { echo "FAILED: $tool $family"; tail -n 15 "$build/$tool.log"; failures=1; }
    done
  done
fi
timeout 120 python3 "$here/bench_kernels.py" || { echo "FAILED: bench ($?)"; failures=1; }
exit $failures
