import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  CausalAttention,
  type CausalAttentionAttrs,
  type CausalAttentionInputs,
} from '../../kernel_names';
import {attentionShape} from '../shared/CausalAttention_impl';
import {HalfAttention} from './attention_float16';
import {AttentionCode, attentionTiles} from './attention_tiles';
import {KEYS, QUERIES, VALUES} from './attention_wgsl';
import {deviceState} from './device_state';
import {magnitudeOf} from './magnitudes';
import {onlineSoftmax} from './online_softmax';
import {makeOutput, type Program, runProgram} from './program';
import {unroll} from './unroll';

/**
 * One workgroup a tile of queries, over the tiles of keys up to the diagonal: it sums values weighted
 * relative to the largest score so far, and divides by the sum of the weights at the end.
 */
function attentionProgram(code: AttentionCode): Program {
  const softmax = onlineSoftmax(code);
  const {declarations, ...program} = code.program(
    {
      name: CausalAttention,
      inputs: {qkv: 'rows'},
      outputs: {y: 'rows'},
      main: () => `
        ${code.findTile({heaviest: 'last', slices: code.featureSlices})}
        ${code.declare('s', code.columnGroups)}
        ${code.declare('sum', code.featureGroups)}
        ${softmax.declare}
        let columnEnd = min(rowBegin + ${code.rows}u, uniforms.length);
        for (var columnBegin = 0u; columnBegin < columnEnd; columnBegin += ${code.columns}u) {
          ${code.scores('s', QUERIES, KEYS)}
          ${softmax.update}
          ${code.eachVector(
            code.featureGroups,
            (r, g) => `sum_${r}_${g} *= decay_${r >> 2}[${r & 3}];`,
          )}
          ${code.accumulate('sum', 's', VALUES)}
        }
        ${code.reduceRows('weight', (a, b) => `${a} + ${b}`)}
        ${unroll(code.laneRows / 4, (i) => `let inverse_${i} = 1 / weight_${i};`)}
        ${code.eachVector(
          code.featureGroups,
          (r, g) => `sum_${r}_${g} *= inverse_${r >> 2}[${r & 3}];`,
        )}
        ${code.store('sum', 'y', 'dyBase', 'hiddenSize')}`,
    },
    'forward',
  );
  return {...program, declarations: () => declarations!() + code.rowReduction()};
}

export const causalAttentionConfig = kernelConfig<
  CausalAttentionInputs,
  CausalAttentionAttrs,
  WebGPUBackend
>(CausalAttention, 'webgpu', ({inputs: {qkv}, attrs, backend}) => {
  const shape = attentionShape(qkv.shape, attrs);
  const {batch, length, hiddenSize, numHeads} = shape;
  const y = makeOutput(backend, [batch, length, hiddenSize]);
  const state = deviceState(backend.device);
  const half = HalfAttention.of(state, shape);
  if (half != null) {
    runProgram(backend, half.forward(), {
      inputs: {qkv},
      outputs: {y, magnitudes: state.magnitudes.buffer},
      uniforms: {
        ...half.uniforms(shape),
        magnitudeQkv: magnitudeOf(backend, qkv),
        slot: state.magnitudes.take(backend, y),
      },
      workgroups: half.workgroups(shape),
    });
    return y;
  }
  const code = new AttentionCode(
    attentionTiles(backend.device, shape, 'few'),
    hiddenSize / numHeads,
  );
  runProgram(backend, attentionProgram(code), {
    inputs: {qkv},
    outputs: {y},
    uniforms: code.uniforms(shape),
    workgroups: code.workgroups(shape, code.featureSlices),
  });
  return y;
});
