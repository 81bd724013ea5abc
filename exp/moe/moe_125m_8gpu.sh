#!/usr/bin/env bash
# A MoE with a capacity, of the size of the paper's Small, with 8 GPUs' batches.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=20000 NUM_EXPERTS=64 CAPACITY_FACTOR=1 TOP_K=1 LOSS_WEIGHT=0.1 BATCH_SIZE=32 -- "$@"

pretrain \
  --moe-num-experts "$NUM_EXPERTS" \
  --moe-capacity-factor "$CAPACITY_FACTOR" \
  --moe-loss-weight "$LOSS_WEIGHT" \
  --moe-top-k "$TOP_K" \
  --moe-expert-model-parallelism \
  --num-layers 12 \
  --hidden-size 768 \
  --num-attention-heads 12 \
  --micro-batch-size "$BATCH_SIZE" \
  --lr 0.00015 \
  --min-lr 0.00001 \
  --init-method-std 0.01 \
  --fp16 \
  --no-async-tensor-model-parallel-allreduce
