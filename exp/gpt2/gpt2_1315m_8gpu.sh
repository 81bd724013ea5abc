#!/usr/bin/env bash
# The paper's dense XL, with 8 GPUs' batches.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 24 \
  --hidden-size 2048 \
  --num-attention-heads 16 \
  --micro-batch-size 16 \
  --lr 0.0004 \
  --min-lr 0.00004 \
  --bf16 \
  --no-async-tensor-model-parallel-allreduce \
  --use-flash-attn
