#!/usr/bin/env bash
# A dMoE of the size of the paper's Large, with 8 GPUs' batches.
source "$(dirname "${BASH_SOURCE[0]}")/../launch.sh"

arguments EXP_DIR TRAINING_STEPS=20000 NUM_EXPERTS=64 TOP_K=1 LOSS_WEIGHT=0.1 BATCH_SIZE=8 -- "$@"

pretrain \
  --moe-num-experts "$NUM_EXPERTS" \
  --moe-loss-weight "$LOSS_WEIGHT" \
  --moe-top-k "$TOP_K" \
  --moe-expert-model-parallelism \
  --num-layers 24 \
  --hidden-size 1536 \
  --num-attention-heads 16 \
  --micro-batch-size "$BATCH_SIZE" \
  --lr 0.0004 \
  --min-lr 0.00004 \
  --init-method-std 0.01 \
  --optimizer adafactor \
  --fp16 \
  --no-async-tensor-model-parallel-allreduce \
  --use-flash-attn
