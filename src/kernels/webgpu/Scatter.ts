import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Scatter, type ScatterAttrs, type ScatterInputs, WeightedScatter} from '../../kernel_names';
import {weightsOfCopies, withCopies} from './permutation';
import {makeOutput} from './program';
import {pullRows} from './rows';

// Token by token: each sums its copies in order, so that the result is the same every time.
function scatterKernel({
  inputs,
  attrs,
  backend,
}: {
  inputs: ScatterInputs;
  attrs: ScatterAttrs;
  backend: WebGPUBackend;
}): TensorInfo {
  const {x, weights, ...index} = inputs;
  const {topK} = attrs;
  const rowSize = x.shape[x.shape.length - 1];
  const numRows = index.indices.shape[0] / topK;
  const y = makeOutput(backend, [numRows, rowSize]);
  const weight = weightsOfCopies(weights);
  withCopies(backend, index, attrs, ({types, inputs: copies, uniforms, declarations}) => {
    const source = {
      name: Scatter,
      variant: '',
      terms: topK,
      weighted: weight.weighted,
      types: {...types, ...weight.types},
      inputs: {...copies, ...weight.inputs},
      uniforms,
      declarations: `${declarations}
      fn findTerm(row : u32, term : u32) -> Term {
        let copy = row * ${topK}u + term;
        return Term(rowOfCopy(copy), ${weight.of('copy')});
      }`,
    };
    pullRows(backend, source, {x, y, numRows, rowSize});
  });
  return y;
}

export const scatterConfig = kernelConfig(Scatter, 'webgpu', scatterKernel);
export const weightedScatterConfig = kernelConfig(WeightedScatter, 'webgpu', scatterKernel);
