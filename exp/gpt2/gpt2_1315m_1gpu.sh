#!/usr/bin/env bash
# The paper's dense XL, with the batches of one GPU.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 24 \
  --hidden-size 2048 \
  --num-attention-heads 16 \
  --micro-batch-size 8 \
  --lr 0.00015 \
  --min-lr 0.00001 \
  --fp16
