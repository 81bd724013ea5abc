import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type DataType, env, type TensorInfo, util} from '@tensorflow/tfjs-core';
import {assert} from '../../asserts';
import {deviceState} from './device_state';

// How every kernel here runs: a program is compiled once a device and recorded into the backend's own
// command encoder. tfjs' `runWebGPUProgram` knows one output and no WGSL extensions; this knows both,
// and keeps what it has built: compute pipelines, uniform buffers.

/** A WGSL type of an element of a buffer, such as `f32`, `i32`, `vec4<f32>` or `atomic<u32>`. */
export type ElementType = string;

/**
 * One WGSL program. Its workgroups are numbered along one axis, however many there are, and `main` runs for
 * no more of them: it sees `group`, the number of its workgroup, `lane`, that of the invocation within it, and
 * `index`, that of the invocation over all.
 */
export interface Program {
  /** The kernel's name, for messages, profiles and labels. */
  name: string;
  /** What else the code depends on. Programs of one name and variant must have one code. */
  variant?: string;
  /** The buffers that are read, by name. Each must be used, or the GPU refuses the program. */
  inputs: Record<string, ElementType>;
  /** The buffers that are written, by name. Their memory is not zeroed. */
  outputs: Record<string, ElementType>;
  /** Scalars, read as `uniforms.name`. */
  uniforms?: Record<string, 'u32' | 'i32' | 'f32'>;
  /**
   * Whether the uniforms have other values in every run, and are not worth keeping. Those of most
   * programs are sizes, which repeat from step to step.
   */
  uniformsChange?: boolean;
  /** Invocations a workgroup. */
  workgroupSize: number;
  /** WGSL extensions that the code needs: those of the device, such as `f16` and `subgroups`. */
  extensions?: readonly string[];
  /** Further built-in values as parameters of the entry point. */
  builtins?: Record<string, string>;
  /** Functions and workgroup variables. */
  declarations?: () => string;
  /** The body of the entry point. */
  main: () => string;
}

/** One run of a program. */
export interface Dispatch {
  inputs: Record<string, TensorInfo | GPUBuffer>;
  outputs: Record<string, TensorInfo | GPUBuffer>;
  uniforms?: Record<string, number>;
  /** How many workgroups. */
  workgroups: number;
}

/** The members of the backend that it does not declare as public. tfjs 4.22 is the last of its line. */
interface BackendInternals {
  commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<object>;
  dispatchCountInPass: number;
  supportTimestampQuery: boolean;
  activeTimers: {name: string; query: Promise<number>}[] | null;
  querySet: GPUQuerySet | null;
  querySetCount: number;
  uniformPendingDisposal: GPUBuffer[];
}

export function internals(backend: WebGPUBackend): BackendInternals {
  return backend as unknown as BackendInternals;
}

/** A new tensor on the device. Its memory is not zeroed: a program must write every element. */
export function makeOutput(
  backend: WebGPUBackend,
  shape: number[],
  dtype: DataType = 'float32',
): TensorInfo {
  const info = backend.makeTensorInfo(shape, dtype);
  if (util.sizeFromShape(shape) === 0) {
    const values = util.getTypedArrayFromDType(dtype as 'float32', 0);
    backend.tensorMap.get(info.dataId).values = values;
  }
  return info;
}

/** Records a run of a program; nothing where all outputs are empty or there is no workgroup. */
export function runProgram(
  backend: WebGPUBackend,
  program: Program,
  {inputs, outputs, uniforms = {}, workgroups}: Dispatch,
) {
  const written = Object.values(outputs);
  if (workgroups === 0 || written.every((output) => isTensor(output) && isEmpty(output))) {
    return;
  }
  const state = deviceState(backend.device);
  state.assertAlive(program.name);
  const pipeline = state.pipeline(`${program.name}/${program.variant ?? ''}`, () =>
    compile(backend.device, program),
  );
  const read = Object.keys(program.inputs).map((name) => inputs[name]);
  const stored = read.map((resource) =>
    isTensor(resource) && isStoredAsIntegers(backend, resource)
      ? toFloats(backend, resource)
      : resource,
  );
  const buffers = [...Object.keys(program.outputs).map((name) => outputs[name]), ...stored].map(
    (resource) => toBuffer(backend, program.name, resource),
  );
  buffers.push(makeUniforms(backend, program, {...uniforms, workgroups}));
  const bindGroup = backend.device.createBindGroup({
    layout: pipeline.layout,
    entries: buffers.map((buffer, binding) => ({binding, resource: {buffer}})),
  });
  record(backend, program.name, pipeline.pipeline, bindGroup, workgroups);
  stored.forEach((resource, i) => {
    if (resource !== read[i]) {
      backend.disposeData((resource as TensorInfo).dataId);
    }
  });
}

/** Whether tf.cast made floats of integers: it leaves the data as they are, and tfjs' programs cast them. */
function isStoredAsIntegers({tensorMap}: WebGPUBackend, {dtype, dataId}: TensorInfo): boolean {
  return dtype === 'float32' && tensorMap.get(dataId).dtype !== 'float32';
}

const CAST_WORKGROUP_SIZE = 256;
const castProgram: Program = {
  name: 'MegaBlocksCast',
  inputs: {x: 'i32'},
  outputs: {y: 'f32'},
  uniforms: {size: 'u32'},
  workgroupSize: CAST_WORKGROUP_SIZE,
  main: () => 'if (index < uniforms.size) { y[index] = f32(x[index]); }',
};

/** A copy as floats. */
function toFloats(backend: WebGPUBackend, {shape, dataId}: TensorInfo): TensorInfo {
  const y = makeOutput(backend, shape);
  const size = util.sizeFromShape(shape);
  runProgram(backend, castProgram, {
    inputs: {x: {shape, dataId, dtype: 'int32'}},
    outputs: {y},
    uniforms: {size},
    workgroups: workgroupsFor(size, CAST_WORKGROUP_SIZE),
  });
  return y;
}

function isTensor(resource: TensorInfo | GPUBuffer): resource is TensorInfo {
  return 'dataId' in resource;
}

function isEmpty({shape}: TensorInfo): boolean {
  return util.sizeFromShape(shape) === 0;
}

/** The buffer of a tensor, kept by the command queue until it is submitted. */
function toBuffer(
  backend: WebGPUBackend,
  kernelName: string,
  resource: TensorInfo | GPUBuffer,
): GPUBuffer {
  if (!isTensor(resource)) {
    return resource;
  }
  const {device, tensorMap} = backend;
  if (isEmpty(resource)) {
    return deviceState(device).emptyBuffer;
  }
  deviceState(device).assertFits(kernelName, resource.shape);
  backend.uploadToGPU(resource.dataId);
  internals(backend).commandQueueOwnedIds.add(resource.dataId);
  return tensorMap.get(resource.dataId).resource as GPUBuffer;
}

/** The scalars of every program. */
const OWN_UNIFORMS = {workgroups: 'u32'} as const;

function makeUniforms(
  backend: WebGPUBackend,
  {name, uniforms, uniformsChange = false}: Program,
  values: Record<string, number>,
): GPUBuffer {
  const types: NonNullable<Program['uniforms']> = {...uniforms, ...OWN_UNIFORMS};
  const names = Object.keys(types);
  const data = new DataView(new ArrayBuffer(Math.ceil(names.length / 4) * 16));
  names.forEach((uniform, i) => {
    const value = values[uniform];
    assert(value != null, () => `${name}: the uniform ${uniform} must be given`);
    if (types[uniform] === 'f32') {
      data.setFloat32(4 * i, value, true);
    } else {
      // Also right for a negative i32.
      data.setUint32(4 * i, value, true);
    }
  });
  return uniformsChange
    ? passingUniforms(backend, data)
    : deviceState(backend.device).uniformBuffer(data);
}

/** A buffer of the backend's pool, which it gets back once the commands are submitted. */
function passingUniforms(backend: WebGPUBackend, data: DataView): GPUBuffer {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = backend.bufferManager.acquireBuffer(data.byteLength, usage);
  backend.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer);
  internals(backend).uniformPendingDisposal.push(buffer);
  return buffer;
}

/** Programs that may have more workgroups than an axis holds lay them out on two. */
function layOut(device: GPUDevice, name: string, workgroups: number): [number, number] {
  const limit = deviceState(device).limits.maxComputeWorkgroupsPerDimension;
  const rows = Math.ceil(workgroups / limit);
  assert(
    rows <= limit,
    () => `${name}: ${workgroups} workgroups are more than this device dispatches at once`,
  );
  return [Math.ceil(workgroups / rows), rows];
}

function record(
  backend: WebGPUBackend,
  name: string,
  pipeline: GPUComputePipeline,
  bindGroup: GPUBindGroup,
  workgroups: number,
) {
  const queue = internals(backend);
  const timed = queue.activeTimers != null;
  backend.ensureCommandEncoderReady();
  if (timed && queue.supportTimestampQuery) {
    backend.endComputePassEncoder();
    queue.querySet ??= backend.device.createQuerySet({
      type: 'timestamp',
      count: queue.querySetCount,
    });
    queue.computePassEncoder = queue.commandEncoder.beginComputePass({
      timestampWrites: {
        querySet: queue.querySet,
        beginningOfPassWriteIndex: 0,
        endOfPassWriteIndex: 1,
      },
    });
  }
  queue.computePassEncoder ??= queue.commandEncoder.beginComputePass();
  const pass = queue.computePassEncoder;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...layOut(backend.device, name, workgroups));
  queue.dispatchCountInPass++;
  if (timed) {
    backend.endComputePassEncoder();
    queue.activeTimers!.push({name, query: backend.getQueryTime()});
  } else if (queue.dispatchCountInPass >= env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
}

/** The pipeline of a program and the layout of its one bind group. */
export interface CompiledProgram {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

function compile(device: GPUDevice, program: Program): CompiledProgram {
  const module = device.createShaderModule({label: program.name, code: toWgsl(program)});
  const pipeline = device.createComputePipeline({
    label: program.name,
    layout: 'auto',
    compute: {module, entryPoint: 'main'},
  });
  return {pipeline, layout: pipeline.getBindGroupLayout(0)};
}

/** What an extension asks for at the head of the shader. */
const DIRECTIVES: Record<string, string> = {
  chromium_experimental_subgroup_matrix:
    'enable chromium_experimental_subgroup_matrix;\n' +
    'diagnostic(off, chromium.subgroup_matrix_uniformity);',
};

/** The whole shader of a program. */
export function toWgsl(program: Program): string {
  const {inputs, outputs, uniforms = {}, workgroupSize, extensions = []} = program;
  const {builtins = {}, declarations, main} = program;
  const fields = Object.entries({...uniforms, ...OWN_UNIFORMS}).map(
    ([name, type]) => `  ${name} : ${type},`,
  );
  const bindings = [
    ...Object.entries(outputs).map(
      ([name, type]) => `var<storage, read_write> ${name} : array<${type}>;`,
    ),
    ...Object.entries(inputs).map(([name, type]) => `var<storage, read> ${name} : array<${type}>;`),
    'var<uniform> uniforms : Uniforms;',
  ].map((binding, i) => `@group(0) @binding(${i}) ${binding}`);
  const parameters = Object.entries(builtins).map(
    ([name, type]) => `, @builtin(${name}) ${name} : ${type}`,
  );
  return [
    ...extensions.map((name) => DIRECTIVES[name] ?? `enable ${name};`),
    'struct Uniforms {',
    ...fields,
    '}',
    ...bindings,
    declarations?.() ?? '',
    `@compute @workgroup_size(${workgroupSize})`,
    'fn main(@builtin(workgroup_id) workgroup_id : vec3u,',
    '    @builtin(num_workgroups) num_workgroups : vec3u,',
    `    @builtin(local_invocation_index) lane : u32${parameters.join('')}) {`,
    '  let group = workgroup_id.x + workgroup_id.y * num_workgroups.x;',
    // Where they lie on two axes, the last row may have more than there are.
    '  if (group >= uniforms.workgroups) { return; }',
    `  let index = group * ${workgroupSize}u + lane;`,
    main(),
    '}',
  ].join('\n');
}

/** How many workgroups of `size` invocations it takes to run at least `invocations`. */
export function workgroupsFor(invocations: number, size: number): number {
  return Math.ceil(invocations / size);
}
