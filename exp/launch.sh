# What the launch scripts share; each of them sources it. They are MegaBlocks' scripts of the same names,
# with the same arguments in the same order. Those from some argument on may be left out, and options of
# `npm run pretrain` may follow, such as --smoke.
#
# A script for 8 GPUs has their batch and learning rate: one device computes its micro-batches in turn.
# DATA_PATH says which data sets to train on, else the first 29 parts of the Pile.

set -eu -o pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Reads the arguments: `arguments NAME NAME=DEFAULT ... -- "$@"` sets each NAME, and OPTIONS to the rest.
arguments() {
  local names=()
  while [ "$1" != -- ]; do
    names+=("$1")
    shift
  done
  shift
  local name
  for name in "${names[@]}"; do
    if [ $# -gt 0 ] && [[ "$1" != --* ]]; then
      printf -v "${name%%=*}" %s "$1"
      shift
    elif [[ "$name" == *=* ]]; then
      printf -v "${name%%=*}" %s "${name#*=}"
    else
      echo "usage: $0 ${names[*]} [options]" >&2
      exit 1
    fi
  done
  OPTIONS=("$@")
}

# The Pile in parts of equal weight.
pile() {
  local part
  for part in $(seq -w 1 29); do
    echo "1.0 ../pile_gpt2/${part}_text_document"
  done
}

# Trains with what is the same in all scripts and what this one says, `pretrain OPTION ...`.
pretrain() {
  local data
  read -r -d '' -a data <<< "${DATA_PATH:-$(pile)}" || true # Lines are as good as spaces.
  ${PRETRAIN:-node "$root/scripts/command.mjs" pretrain} \
    --seq-length 1024 \
    --max-position-embeddings 1024 \
    --global-batch-size 512 \
    --train-iters "$TRAINING_STEPS" \
    --lr-decay-iters "$TRAINING_STEPS" \
    --lr-decay-style cosine \
    --lr-warmup-fraction 0.01 \
    --clip-grad 1.0 \
    --data-path "${data[@]}" \
    --make-vocab-size-divisible-by 1024 \
    --split 969,30,1 \
    --DDP-impl local \
    --save "$EXP_DIR" \
    --save-interval 2000 \
    --eval-iters 100 \
    --log-interval 100 \
    --eval-interval 1000 \
    "$@" \
    ${OPTIONS[@]+"${OPTIONS[@]}"}
}
