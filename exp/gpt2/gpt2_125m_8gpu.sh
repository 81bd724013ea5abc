#!/usr/bin/env bash
# The paper's dense Small, with 8 GPUs' batches.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 12 \
  --hidden-size 768 \
  --num-attention-heads 12 \
  --micro-batch-size 64 \
  --lr 0.0006 \
  --min-lr 0.00006 \
  --init-method-std 0.01 \
  --bf16 \
  --no-async-tensor-model-parallel-allreduce \
  --use-flash-attn
