#!/usr/bin/env bash
# The paper's dense Large, with the batches of one GPU.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=100000 -- "$@"

pretrain \
  --num-layers 24 \
  --hidden-size 1536 \
  --num-attention-heads 16 \
  --micro-batch-size 16 \
  --lr 0.00015 \
  --min-lr 0.00001 \
  --init-method-std 0.01 \
  --fp16
