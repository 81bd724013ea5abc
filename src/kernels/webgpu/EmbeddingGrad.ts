import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {EmbeddingGrad, type EmbeddingGradAttrs, type EmbeddingGradInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {radixSort} from './radix_sort';
import {findColumns, forEachElement, rowLayout, type RowLayout, storeRow} from './rows';

// The positions are sorted by token, so that the rows of a token follow each other, in order; those out
// of range come behind all tokens. A token may have all of them: runs of RUN positions of one token are
// summed first, so that a row of the result sums few rows one after another.

const WORKGROUP_SIZE = 256;
const RUN = 64;

/** One invocation a token: finds its first position among the sorted ones by binary search. */
const OFFSETS_PROGRAM: Program = {
  name: 'MegaBlocksEmbeddingOffsets',
  inputs: {keys: 'i32'},
  outputs: {offsets: 'i32'},
  uniforms: {size: 'u32', numKeys: 'i32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.size) { return; }
    var low = 0;
    var high = uniforms.numKeys;
    while (low < high) {
      let middle = (low + high) / 2;
      if (keys[middle] < i32(index)) { low = middle + 1; } else { high = middle; }
    }
    offsets[index] = low;`,
};

/** `addRows` of a buffer: adds its rows from begin to end to the sums, four at a time. */
function addRows(layout: RowLayout, name: string, buffer: string, rowAt: (i: string) => string) {
  const add = (i: string) => `{
          let source = u32(${rowAt(i)}) * uniforms.columns;
          ${forEachElement(layout, (element) => `sum${element} += ${buffer}[source + column${element}];`)}
        }`;
  const parameters = forEachElement(layout, (i) => `, column${i} : u32`);
  return `
    fn ${name}(begin : i32, end : i32${parameters}) {
      var i = begin;
      for (; i + 4 <= end; i += 4) {
        ${['i', 'i + 1', 'i + 2', 'i + 3'].map(add).join('\n')}
      }
      for (; i < end; i++) ${add('i')}
    }`;
}

/** The sums of this invocation, and the arguments with its columns. */
function sums(layout: RowLayout): string {
  return forEachElement(layout, (i) => `var<private> sum${i} : ${layout.type};`);
}

/** Up to 32 lanes a run and part of the row. A run that is not of one token is left unwritten. */
function runsProgram(layout: RowLayout): Program {
  const {type, lanes, perLane} = layout;
  return {
    name: 'MegaBlocksEmbeddingRuns',
    variant: [type, lanes, perLane].join(),
    inputs: {dy: type, keys: 'i32', permutation: 'i32'},
    outputs: {y: type},
    uniforms: {numRows: 'u32', columns: 'u32', chunks: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => sums(layout) + addRows(layout, 'addRows', 'dy', (i) => `permutation[${i}]`),
    main: () => `${findColumns(layout)}
      if (row >= uniforms.numRows) { return; }
      let begin = i32(row) * ${RUN};
      if (keys[begin] != keys[begin + ${RUN - 1}]) { return; }
      addRows(begin, begin + ${RUN}${columnArguments(layout)});
      ${storeRow(layout)}`,
  };
}

function columnArguments(layout: RowLayout): string {
  return forEachElement(layout, (i) => `, column${i}`);
}

/**
 * Up to 32 lanes a token and part of the row: the rows before its first whole run, its runs, and the
 * rows after them.
 */
function tokensProgram(layout: RowLayout): Program {
  const {type, lanes, perLane} = layout;
  const columns = columnArguments(layout);
  return {
    name: EmbeddingGrad,
    variant: [type, lanes, perLane].join(),
    inputs: {dy: type, runs: type, offsets: 'i32', permutation: 'i32'},
    outputs: {y: type},
    uniforms: {numRows: 'u32', columns: 'u32', chunks: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () =>
      sums(layout) +
      addRows(layout, 'addRows', 'dy', (i) => `permutation[${i}]`) +
      addRows(layout, 'addRuns', 'runs', (i) => i),
    main: () => `${findColumns(layout)}
      if (row >= uniforms.numRows) { return; }
      let begin = offsets[row];
      let end = offsets[row + 1u];
      let beginRuns = (begin + ${RUN - 1}) / ${RUN};
      let endRuns = end / ${RUN};
      if (beginRuns >= endRuns) {
        addRows(begin, end${columns});
      } else {
        addRows(begin, beginRuns * ${RUN}${columns});
        addRuns(beginRuns, endRuns${columns});
        addRows(endRuns * ${RUN}, end${columns});
      }
      ${storeRow(layout)}`,
  };
}

export const embeddingGradConfig = kernelConfig<
  EmbeddingGradInputs,
  EmbeddingGradAttrs,
  WebGPUBackend
>(EmbeddingGrad, 'webgpu', ({inputs: {dy, indices}, attrs: {vocabSize}, backend}) => {
  const numKeys = indices.shape[0];
  const rowSize = dy.shape[1];
  const y = makeOutput(backend, [vocabSize, rowSize]);
  if (vocabSize * rowSize === 0) {
    return y;
  }
  const endBit = 32 - Math.clz32(vocabSize);
  const {keys, indices: permutation} = radixSort(backend, EmbeddingGrad, indices, endBit, {
    bound: vocabSize,
  });
  const offsets = makeOutput(backend, [vocabSize + 1], 'int32');
  runProgram(backend, OFFSETS_PROGRAM, {
    inputs: {keys},
    outputs: {offsets},
    uniforms: {size: vocabSize + 1, numKeys},
    workgroups: workgroupsFor(vocabSize + 1, WORKGROUP_SIZE),
  });

  const layout = rowLayout(rowSize, 32, 4);
  const {lanes, columns, chunks} = layout;
  const run = (program: Program, inputs: Record<string, TensorInfo>, out: TensorInfo) =>
    runProgram(backend, program, {
      inputs,
      outputs: {y: out},
      uniforms: {numRows: out.shape[0], columns, chunks},
      workgroups: workgroupsFor(out.shape[0] * chunks * lanes, WORKGROUP_SIZE),
    });
  const runs = makeOutput(backend, [Math.floor(numKeys / RUN), rowSize]);
  run(runsProgram(layout), {dy, keys, permutation}, runs);
  run(tokensProgram(layout), {dy, runs, offsets, permutation}, y);
  for (const {dataId} of [keys, permutation, offsets, runs]) {
    backend.disposeData(dataId);
  }
  return y;
});
