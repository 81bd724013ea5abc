#!/usr/bin/env bash
# The paper's dense Medium, with 8 GPUs' batches.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 24 \
  --hidden-size 1024 \
  --num-attention-heads 16 \
  --micro-batch-size 32 \
  --lr 0.0006 \
  --min-lr 0.00006 \
  --init-method-std 0.01 \
  --bf16 \
  --no-async-tensor-model-parallel-allreduce \
  --use-flash-attn
