import * as tf from '@tensorflow/tfjs';
import {histogram, inclusiveCumsum, sort} from '../src/index';

/** Every token to one expert at random, all equally likely; the same for the same sizes. */
export function randomRouting(tokens: number, numExperts: number) {
  const uniform = tf.randomUniform<tf.Rank.R1>([tokens], 0, numExperts, 'float32', 1);
  const experts = tf.cast<tf.Tensor1D>(tf.floor(uniform), 'int32');
  const endBit = Math.max(1, Math.ceil(Math.log2(numExperts)));
  const [binIds, indices] = sort(experts, endBit);
  const bins = inclusiveCumsum(histogram(experts, numExperts));
  return {experts, endBit, binIds, indices, bins};
}
