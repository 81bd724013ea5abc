import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {SparseSoftmaxCrossEntropy, type SparseSoftmaxCrossEntropyInputs} from '../../kernel_names';
import {crossEntropyLosses} from '../shared/SparseSoftmaxCrossEntropy_impl';
import {assembly, withScratch} from './assembly_module';
import {address, floats, floatsAt, ints, makeOutput} from './wasm_util';

export const sparseSoftmaxCrossEntropyConfig = kernelConfig<
  SparseSoftmaxCrossEntropyInputs,
  object,
  BackendWasm
>(SparseSoftmaxCrossEntropy, 'wasm', ({inputs: {logits, labels}, backend}) => {
  const [numRows, vocabSize] = logits.shape;
  const [losses, logSums] = [0, 1].map(() => makeOutput(backend, [numRows], 'float32'));
  withScratch(backend, 8 * numRows, (sums) => {
    const largest = sums + 4 * numRows;
    assembly(backend).softmaxSums(numRows, vocabSize, address(backend, logits), sums, largest);
    crossEntropyLosses(
      floats(backend, logits),
      ints(backend, labels),
      floatsAt(backend, sums, numRows),
      floatsAt(backend, largest, numRows),
      floats(backend, losses),
      floats(backend, logSums),
    );
  });
  return [losses, logSums];
});
