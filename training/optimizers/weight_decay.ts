import type {Tensor} from '@tensorflow/tfjs-core';

/** Which parameters decay. */
export const DECAY_RULES = ['matrices', 'all'] as const;
export type DecayRule = (typeof DECAY_RULES)[number];

/** The last part of the names of what shifts and scales, of however many axes. */
const SHIFTS_AND_SCALES = /(^|[/._])(bias|gamma|beta)(_\d+)?$/i;
const EMBEDDING = /embedding/i;

/**
 * Whether a parameter decays. By 'matrices' the weights of products do, those of experts among them;
 * biases, norms (what has one axis, or is named bias, gamma or beta) and embeddings (by their name) do
 * not. By 'all' every parameter does, as by default in PyTorch.
 */
export function decays(rule: DecayRule, name: string, {rank}: Tensor): boolean {
  return rule === 'all' || (rank > 1 && !SHIFTS_AND_SCALES.test(name) && !EMBEDDING.test(name));
}
