import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {LayerNormGrad, type LayerNormGradAttrs, type LayerNormGradInputs} from '../../kernel_names';
import {sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {RowLanes} from './row_lanes';

/**
 * One workgroup a row: it reads the row once and sums over it twice. With g = gamma dy and n the
 * normalized row, dx = (g - mean(g) - n mean(g n)) scale.
 */
function layerNormGradProgram(row: RowLanes): Program {
  const {type, workgroupSize} = row;
  const x = row.value('x', 'x[begin + at]');
  const g = row.value('g', '(gamma[at] * dy[begin + at])');
  return {
    name: LayerNormGrad,
    variant: row.variant,
    inputs: {x: type, gamma: type, dy: type},
    outputs: {dx: type},
    uniforms: {numRows: 'u32', length: 'u32', size: 'f32', epsilon: 'f32'},
    workgroupSize,
    declarations: () => row.reduction({name: 'sumsOverRow', type: 'vec2f'}),
    main: () => `
      ${row.find}
      ${row.read(x, g)}
      // The sums of x and g, then with d = x - mean those of d d and g d.
      var sums = vec2f();
      ${row.forEach((get) => `sums += vec2f(${sumOf(type, get(x))}, ${sumOf(type, get(g))});`)}
      let means = sumsOverRow(lane, sums) / uniforms.size;
      var products = vec2f();
      ${row.forEach(
        (get) => `
          let difference = ${get(x)} - means.x;
          products += vec2f(
            ${sumOf(type, 'difference * difference')}, ${sumOf(type, `${get(g)} * difference`)});`,
      )}
      let meanProducts = sumsOverRow(lane, products) / uniforms.size;
      let scale = 1 / sqrt(meanProducts.x + uniforms.epsilon);
      let slope = meanProducts.y * scale * scale;
      ${row.forEach(
        (get) => `dx[begin + at] = (${get(g)} - means.y - (${get(x)} - means.x) * slope) * scale;`,
      )}`,
  };
}

export const layerNormGradConfig = kernelConfig<
  LayerNormGradInputs,
  LayerNormGradAttrs,
  WebGPUBackend
>(LayerNormGrad, 'webgpu', ({inputs: {x, gamma, dy}, attrs: {epsilon}, backend}) => {
  const [numRows, size] = x.shape;
  const dx = makeOutput(backend, x.shape);
  const row = RowLanes.ofWorkgroup(size);
  runProgram(backend, layerNormGradProgram(row), {
    inputs: {x, gamma, dy},
    outputs: {dx},
    uniforms: {numRows, length: row.length, size, epsilon},
    workgroups: row.workgroups(numRows),
  });
  return dx;
});
