import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  SparseSoftmaxCrossEntropyGrad,
  type SparseSoftmaxCrossEntropyGradInputs,
} from '../../kernel_names';
import {crossEntropyFactors, subtractAtLabels} from '../shared/SparseSoftmaxCrossEntropy_impl';
import {assembly, withScratch} from './assembly_module';
import {address, floats, floatsAt, ints, makeOutput} from './wasm_util';

export const sparseSoftmaxCrossEntropyGradConfig = kernelConfig<
  SparseSoftmaxCrossEntropyGradInputs,
  object,
  BackendWasm
>(SparseSoftmaxCrossEntropyGrad, 'wasm', ({inputs, backend}) => {
  const {logits, labels, logSums, dy} = inputs;
  const [numRows, vocabSize] = logits.shape;
  const out = makeOutput(backend, logits.shape, 'float32');
  withScratch(backend, 4 * numRows, (factors) => {
    crossEntropyFactors(
      vocabSize,
      ints(backend, labels),
      floats(backend, dy),
      floatsAt(backend, factors, numRows),
    );
    assembly(backend).scaledExponentials(
      numRows,
      vocabSize,
      address(backend, logits),
      address(backend, logSums),
      factors,
      address(backend, out),
    );
    subtractAtLabels(
      ints(backend, labels),
      floatsAt(backend, factors, numRows),
      floats(backend, out),
    );
  });
  return out;
});
