#!/usr/bin/env bash
# The paper's dense Small, with the batches of one GPU.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 12 \
  --hidden-size 768 \
  --num-attention-heads 12 \
  --micro-batch-size 32 \
  --lr 0.00015 \
  --min-lr 0.00001 \
  --init-method-std 0.01 \
  --fp16
