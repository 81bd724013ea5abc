import * as tf from '@tensorflow/tfjs';
import type {Comparison} from '../harness';
import {forwardAndBackward} from '../differentiable';
import {adamWComparison, type Sizes, works} from '../transformer_bench';
import {deviceTime, values} from './measure';
import type {Row} from './products';

// What a language model needs besides products, forward and backward, at the sizes of Small: as long as
// the device takes, which is less than the host does to ask for it.

const SIZES: Sizes = {batch: 8, length: 1024, H: 768, heads: 12, F: 3072, V: 51200};

/**
 * @param ofTfjs Those of TensorFlow.js alone, or the others.
 * @param scale Divides the length of sequences and the vocabulary.
 */
export async function transformerOps(ofTfjs: boolean, scale: number): Promise<Row[]> {
  const sizes = {...SIZES, length: SIZES.length / scale, V: SIZES.V / scale};
  const comparisons: (() => Comparison)[] = [
    ...works.map((work) => () => forwardAndBackward(work(sizes, values), values)),
    () => adamWComparison(sizes, values),
  ];
  const rows: Row[] = [];
  for (const make of comparisons) {
    const before = new Set(Object.keys(tf.engine().registeredVariables));
    tf.engine().startScope();
    const {title, shapes, contenders} = make();
    for (const [name, run] of Object.entries(contenders)) {
      // With useFastMatMul all that runs later has it.
      if (/^(tf\.|tfjs)/.test(name) === ofTfjs && !name.includes('useFastMatMul')) {
        rows.push({
          what: `${title}: ${ofTfjs ? 'tfjs, ' : ''}${name}`,
          shape: Object.values(shapes).join(' '),
          ms: await deviceTime(run),
        });
      }
    }
    tf.engine().endScope();
    for (const [name, variable] of Object.entries(tf.engine().registeredVariables)) {
      if (!before.has(name)) {
        variable.dispose();
      }
    }
  }
  return rows;
}
