import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Gather, type GatherAttrs, type GatherInputs, WeightedGather} from '../../kernel_names';
import {routedShape} from '../shared/permutation';
import {positionLookup} from './permutation';
import {makeOutput} from './program';
import {pullRows} from './rows';

// Row by row of the result, which is written in order; each finds its copy and so its token.
function gatherKernel({
  inputs,
  attrs,
  backend,
}: {
  inputs: GatherInputs;
  attrs: GatherAttrs;
  backend: WebGPUBackend;
}): TensorInfo {
  const {x, weights, ...index} = inputs;
  const {indices, bins} = index;
  const {layout, topK} = attrs;
  const rowSize = x.shape[x.shape.length - 1];
  const y = makeOutput(backend, routedShape(attrs, bins.shape[0], rowSize));
  const numRows = layout === 'binned' ? bins.shape[0] * attrs.numRows : attrs.numRows;
  const {types, inputs: lookedUp, uniforms, declarations} = positionLookup(index, attrs);
  const weighted = weights != null;
  const source = {
    name: Gather,
    variant: layout,
    terms: 1,
    weighted,
    types: {indices: 'i32', ...types, ...(weighted ? {weights: 'f32'} : {})},
    inputs: {indices, ...lookedUp, ...(weighted ? {weights} : {})},
    uniforms: {topK, ...uniforms},
    declarations: `${declarations}
    fn findTerm(row : u32, term : u32) -> Term {
      let position = positionOf(i32(row));
      if (position < 0) { return Term(-1, 0); }
      let copy = indices[position];
      if (copy < 0 || copy >= uniforms.numCopies) { return Term(-1, 0); }
      return Term(copy / uniforms.topK, ${weighted ? 'weights[copy]' : '1'});
    }`,
  };
  pullRows(backend, source, {x, y, numRows, rowSize});
  return y;
}

export const gatherConfig = kernelConfig(Gather, 'webgpu', gatherKernel);
export const weightedGatherConfig = kernelConfig(WeightedGather, 'webgpu', gatherKernel);
