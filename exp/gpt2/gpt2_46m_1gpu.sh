#!/usr/bin/env bash
# The paper's dense XS, with the batches of one GPU.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 6 \
  --hidden-size 512 \
  --num-attention-heads 8 \
  --micro-batch-size 64 \
  --lr 0.00015 \
  --min-lr 0.00001 \
  --init-method-std 0.01 \
  --fp16
