import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  CausalAttentionGrad,
  type CausalAttentionGradAttrs,
  type CausalAttentionGradInputs,
} from '../../kernel_names';
import {attentionShape} from '../shared/CausalAttention_impl';
import {HalfAttention} from './attention_float16';
import {AttentionCode, attentionTiles} from './attention_tiles';
import {KEYS, MASKED, OUTPUT_GRADS, QUERIES, VALUES} from './attention_wgsl';
import {deviceState} from './device_state';
import {magnitudeOf} from './magnitudes';
import {onlineSoftmax} from './online_softmax';
import {makeOutput, type Program, runProgram} from './program';
import {unroll} from './unroll';

// With p the probabilities, dp = dy v' and delta = sum over keys of p dp, of each query:
// dv = p' dy, ds = scale p (dp - delta), dq = ds k, dk = ds' q.

/**
 * One workgroup a tile of queries: what the other two programs need of each query, the logarithm of the
 * sum of its exponentials and delta, since the forward pass keeps neither.
 */
function statisticsProgram(code: AttentionCode): Program {
  const softmax = onlineSoftmax(code);
  const rowGroups = code.laneRows / 4;
  const sum = (a: string, b: string) => `${a} + ${b}`;
  const {declarations, ...program} = code.program(
    {
      name: CausalAttentionGrad,
      inputs: {qkv: 'rows', dy: 'rows'},
      outputs: {statistics: 'vec2<f32>'},
      main: () => `
        ${code.findTile({heaviest: 'last', slices: 1})}
        ${code.declare('s', code.columnGroups)}
        ${code.declare('dp', code.columnGroups)}
        ${softmax.declare}
        ${unroll(rowGroups, (i) => `var delta_${i} = vec4f();`)}
        let columnEnd = min(rowBegin + ${code.rows}u, uniforms.length);
        for (var columnBegin = 0u; columnBegin < columnEnd; columnBegin += ${code.columns}u) {
          ${code.scores('s', QUERIES, KEYS)}
          ${code.scores('dp', OUTPUT_GRADS, VALUES)}
          ${softmax.update}
          ${unroll(rowGroups, (i) => `delta_${i} *= decay_${i};`)}
          ${code.eachVector(
            code.columnGroups,
            (r, g) => `delta_${r >> 2}[${r & 3}] += dot(s_${r}_${g}, dp_${r}_${g});`,
          )}
        }
        ${code.reduceRows('weight', sum)}
        ${code.reduceRows('delta', sum)}
        ${unroll(rowGroups, (i) => `let logarithm_${i} = largest_${i} + log4(weight_${i});`)}
        if (laneColumn == 0u) {
          ${code.eachRow((r) => {
            const [i, j] = [r >> 2, r & 3];
            return `
              if (${code.row(r)} < uniforms.length) {
                statistics[head * uniforms.length + ${code.row(r)}] = vec2f(
                  logarithm_${i}[${j}], delta_${i}[${j}] / weight_${i}[${j}]);
              }`;
          })}
        }`,
    },
    'statistics',
  );
  return {...program, declarations: () => declarations!() + code.rowReduction()};
}

/** One workgroup a tile of queries, over the tiles of keys up to the diagonal: dq. */
function queryGradProgram(code: AttentionCode): Program {
  return code.program(
    {
      name: CausalAttentionGrad,
      inputs: {qkv: 'rows', dy: 'rows', statistics: 'vec2<f32>'},
      outputs: {dqkv: 'rows'},
      main: () => `
        ${code.findTile({heaviest: 'last', slices: code.featureSlices})}
        ${code.declare('s', code.columnGroups)}
        ${code.declare('dp', code.columnGroups)}
        ${code.declare('dq', code.featureGroups)}
        ${code.eachRow(
          (r) => `
            var row_${r} = vec2f();
            if (${code.row(r)} < uniforms.length) {
              row_${r} = statistics[head * uniforms.length + ${code.row(r)}];
            }`,
        )}
        let columnEnd = min(rowBegin + ${code.rows}u, uniforms.length);
        for (var columnBegin = 0u; columnBegin < columnEnd; columnBegin += ${code.columns}u) {
          ${code.scores('s', QUERIES, KEYS)}
          ${code.scores('dp', OUTPUT_GRADS, VALUES)}
          ${code.eachVector(
            code.columnGroups,
            (r, g) => `{
              let seen = ${code.columnVector(g)} <= vec4<u32>${code.row(r)};
              let exponent = s_${r}_${g} * uniforms.scale - row_${r}.x;
              let p = exp4(select(vec4f(${MASKED}), exponent, seen));
              s_${r}_${g} = uniforms.scale * p * (dp_${r}_${g} - row_${r}.y);
            }`,
          )}
          ${code.accumulate('dq', 's', KEYS)}
        }
        ${code.store('dq', 'dqkv', 'queryBase', '(3 * hiddenSize)')}`,
    },
    'queries',
  );
}

/** One workgroup a tile of keys, over the tiles of queries from the diagonal on: dk and dv. */
function keyValueGradProgram(code: AttentionCode): Program {
  const vectorOfColumns = (g: number, member: string) =>
    `vec4f(${[0, 1, 2, 3].map((i) => `column_${g}_${i}.${member}`).join(', ')})`;
  return code.program(
    {
      name: CausalAttentionGrad,
      inputs: {qkv: 'rows', dy: 'rows', statistics: 'vec2<f32>'},
      outputs: {dqkv: 'rows'},
      main: () => `
        ${code.findTile({heaviest: 'first', slices: code.featureSlices})}
        ${code.declare('p', code.columnGroups)}
        ${code.declare('ds', code.columnGroups)}
        ${code.declare('dk', code.featureGroups)}
        ${code.declare('dv', code.featureGroups)}
        let firstColumn = rowBegin / ${code.columns}u * ${code.columns}u;
        for (var columnBegin = firstColumn; columnBegin < uniforms.length; columnBegin += ${code.columns}u) {
          ${code.scores('p', KEYS, QUERIES)}
          ${code.scores('ds', VALUES, OUTPUT_GRADS)}
          ${unroll(
            code.columnGroups,
            (g) => `
              ${unroll(
                4,
                (i) => `
                  var column_${g}_${i} = vec2f();
                  if (${code.column(g, i)} < uniforms.length) {
                    column_${g}_${i} = statistics[head * uniforms.length + ${code.column(g, i)}];
                  }`,
              )}
              let logarithm_${g} = ${vectorOfColumns(g, 'x')};
              let delta_${g} = ${vectorOfColumns(g, 'y')};
              let inside_${g} = ${code.columnVector(g)} < vec4<u32>(uniforms.length);`,
          )}
          ${code.eachVector(
            code.columnGroups,
            (r, g) => `{
              let seen = (${code.columnVector(g)} >= vec4<u32>${code.row(r)}) & inside_${g};
              let exponent = p_${r}_${g} * uniforms.scale - logarithm_${g};
              p_${r}_${g} = exp4(select(vec4f(${MASKED}), exponent, seen));
              ds_${r}_${g} = uniforms.scale * p_${r}_${g} * (ds_${r}_${g} - delta_${g});
            }`,
          )}
          ${code.accumulate('dv', 'p', OUTPUT_GRADS)}
          ${code.accumulate('dk', 'ds', QUERIES)}
        }
        ${code.store('dk', 'dqkv', 'keyBase', '(3 * hiddenSize)')}
        ${code.store('dv', 'dqkv', 'valueBase', '(3 * hiddenSize)')}`,
    },
    'keys and values',
  );
}

export const causalAttentionGradConfig = kernelConfig<
  CausalAttentionGradInputs,
  CausalAttentionGradAttrs,
  WebGPUBackend
>(CausalAttentionGrad, 'webgpu', ({inputs: {qkv, dy}, attrs, backend}) => {
  const shape = attentionShape(qkv.shape, attrs);
  const {batch, length, hiddenSize, numHeads} = shape;
  const headSize = hiddenSize / numHeads;
  const dqkv = makeOutput(backend, qkv.shape);
  const statistics = makeOutput(backend, [batch, numHeads, length, 2]);
  const state = deviceState(backend.device);
  const half = HalfAttention.of(state, shape);
  if (half != null) {
    const {buffer: magnitudes} = state.magnitudes;
    const [workgroups, uniforms] = [
      half.workgroups(shape),
      {
        ...half.uniforms(shape),
        magnitudeQkv: magnitudeOf(backend, qkv),
        magnitudeDy: magnitudeOf(backend, dy),
      },
    ];
    runProgram(backend, half.statistics(), {
      inputs: {qkv, dy, magnitudes},
      outputs: {statistics},
      uniforms,
      workgroups,
    });
    const slot = state.magnitudes.take(backend, dqkv);
    for (const program of [half.queryGrad(), half.keyValueGrad()]) {
      runProgram(backend, program, {
        inputs: {qkv, dy, statistics},
        outputs: {dqkv, magnitudes},
        uniforms: {...uniforms, slot},
        workgroups,
      });
    }
    backend.disposeData(statistics.dataId);
    return dqkv;
  }
  const few = new AttentionCode(attentionTiles(backend.device, shape, 'few'), headSize);
  const many = new AttentionCode(attentionTiles(backend.device, shape, 'many'), headSize);
  runProgram(backend, statisticsProgram(few), {
    inputs: {qkv, dy},
    outputs: {statistics},
    uniforms: few.uniforms(shape),
    workgroups: few.workgroups(shape, 1),
  });
  for (const program of [queryGradProgram(many), keyValueGradProgram(many)]) {
    runProgram(backend, program, {
      inputs: {qkv, dy, statistics},
      outputs: {dqkv},
      uniforms: many.uniforms(shape),
      workgroups: many.workgroups(shape, many.featureSlices),
    });
  }
  backend.disposeData(statistics.dataId);
  return dqkv;
});
