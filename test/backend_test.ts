// A backend that does not start. Every test loads the modules anew, on packages that it replaces.

const WASM = '@tensorflow/tfjs-backend-wasm';
const CPU = '@tensorflow/tfjs-backend-cpu';
const WEBGPU = '../src/webgpu';
const NATIVE = 'tfjs-megablocks/native';

async function load() {
  const [{startBackend}, tf] = await Promise.all([
    import('../training/backend'),
    import('@tensorflow/tfjs-core'),
  ]);
  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(text);
  type Options = Parameters<typeof startBackend>[1];
  return {
    ...{tf, warnings},
    start: (name: string, options?: Options) => startBackend(name, {warn, ...options}),
  };
}

const CUDA = {version: '13.0', stream: 'tensorflow', gpus: ['a GPU']} as const;

/** Puts a TensorFlow there that computes on another backend of tfjs. */
function mockTensorFlow(cuda?: object, devices = ['CPU']) {
  const found = {version: '2.21.0', devices, instructions: 'avx2', threads: 2, cuda};
  jest.doMock(NATIVE, () => ({loadNative: () => found}));
}

async function loadOnTensorFlow() {
  const loaded = await load();
  await import(CPU);
  const {tf} = loaded;
  // tfjs has one engine for all its copies: that of an earlier test may be in it.
  if (tf.findBackendFactory('tensorflow') == null) {
    tf.registerBackend('tensorflow', tf.findBackendFactory('cpu'));
  }
  const {tensorflowPrecision} = await import('../src/kernels/tensorflow/precision');
  return {...loaded, tensorflowPrecision};
}

/** Puts a WebGPU there that is set up on another backend of tfjs, or that throws. */
function mockWebGPU(problem?: string) {
  const setupWebGPU = jest.fn(async ({precision = 'float32'}) => {
    if (problem != null) {
      throw new Error(problem);
    }
    const tf = await import('@tensorflow/tfjs-core');
    await import(CPU);
    await tf.setBackend('cpu');
    return {adapter: 'a GPU', precision, dispose: () => undefined};
  });
  jest.doMock(WEBGPU, () => ({setupWebGPU}));
  return setupWebGPU;
}

function mockDevices(...devices: string[]) {
  jest.doMock('node:fs', () => ({
    ...jest.requireActual('node:fs'),
    existsSync: (path: string) => devices.includes(path),
  }));
}

beforeEach(() => {
  jest.resetModules();
  // tfjs tells of backends that fail, and of kernels that are there already.
  jest.spyOn(console, 'warn').mockImplementation();
});
afterEach(() => [WASM, CPU, WEBGPU, NATIVE, 'node:fs'].forEach((name) => jest.dontMock(name)));

describe('startBackend', () => {
  it.each(['wasm', 'cpu'])('starts %s, without a word', async (name) => {
    const {tf, warnings, start} = await load();
    expect(await start(name)).toMatchObject({
      name,
      precision: 'float32',
      description: `Computing on ${name}.`,
    });
    expect(tf.getBackend()).toBe(name);
    expect(warnings).toEqual([]);
  });

  it('takes cpu where the package of the backend fails, and says why', async () => {
    jest.doMock(WASM, () => {
      throw new Error('no WebAssembly here');
    });
    const {tf, warnings, start} = await load();
    expect((await start('wasm')).name).toBe('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect(warnings).toEqual([
      'backend: wasm does not start: no WebAssembly here. cpu takes its place, which is far slower.',
    ]);
  });

  it('takes cpu where the backend reports a failure', async () => {
    jest.doMock(WASM, () => ({}));
    const {tf, warnings, start} = await load();
    // tfjs has one engine for all its copies: the backend of an earlier test is in it.
    if (tf.findBackendFactory('wasm') != null) {
      tf.removeBackend('wasm');
    }
    tf.registerBackend('wasm', () => Promise.reject(new Error('not on this machine')));
    expect((await start('wasm')).name).toBe('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect(warnings).toEqual([
      'backend: wasm does not start: it reports a failure. cpu takes its place, which is far slower.',
    ]);
    tf.removeBackend('wasm');
  });

  it('says so where cpu does not start either', async () => {
    jest.doMock(CPU, () => {
      throw new Error('not even cpu');
    });
    const {start} = await load();
    await expect(start('cpu')).rejects.toThrow('backend: cpu does not start: not even cpu');
  });

  it('takes wasm where tensorflow was asked for and is not there', async () => {
    jest.doMock(NATIVE, () => ({
      loadNative: () => {
        throw new Error('tfjs-node must be installed');
      },
    }));
    const {warnings, start} = await load();
    expect((await start('tensorflow')).name).toBe('wasm');
    expect(warnings).toEqual([
      'backend: tensorflow does not start: tfjs-node must be installed. wasm takes its place, which is far slower.',
    ]);
  });

  it.each([
    ['float32', 'float32'],
    ['float16', 'bfloat16'],
  ] as const)("multiplies on tensorflow's GPU in %s", async (asked, precision) => {
    mockTensorFlow(CUDA, ['CPU', 'GPU']);
    const {tf, warnings, start, tensorflowPrecision} = await loadOnTensorFlow();
    expect(await start('tensorflow', {precision: asked})).toMatchObject({
      name: 'tensorflow',
      gpu: 'a GPU',
      precision,
      description: `Computing on tensorflow (a GPU, products in ${precision}, TensorFlow 2.21.0).`,
    });
    expect(tf.getBackend()).toBe('tensorflow');
    expect(tensorflowPrecision()).toBe(precision);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['', undefined],
    [
      '; no CUDA-capable device is detected',
      {...CUDA, problem: 'no CUDA-capable device is detected'},
    ],
  ])('multiplies on the CPU in float32 where tensorflow uses no GPU%s', async (why, cuda) => {
    mockTensorFlow(cuda);
    const {warnings, start} = await loadOnTensorFlow();
    expect(await start('tensorflow', {precision: 'float16'})).toMatchObject({
      precision: 'float32',
      description: `Computing on tensorflow (TensorFlow 2.21.0, ops of avx2 on 2 threads${why}).`,
    });
    expect(warnings).toEqual([
      'backend: products are in float32, since tensorflow has none in float16.',
    ]);
  });

  it('takes wasm where tensorflow uses a GPU on which the ops do not run', async () => {
    mockTensorFlow({...CUDA, problem: 'it must have compute capability 8.0'}, ['CPU', 'GPU']);
    const {warnings, start} = await loadOnTensorFlow();
    expect((await start('tensorflow')).name).toBe('wasm');
    expect(warnings).toEqual([
      'backend: tensorflow does not start: it must have compute capability 8.0. wasm takes its place, which is far slower.',
    ]);
  });

  it('takes wasm where webgpu was asked for and does not start', async () => {
    mockWebGPU('no adapter');
    const {warnings, start} = await load();
    expect((await start('webgpu')).name).toBe('wasm');
    expect(warnings).toEqual([
      'backend: webgpu does not start: no adapter. wasm takes its place, which is far slower.',
    ]);
  });

  it('passes on what webgpu is asked for', async () => {
    const setupWebGPU = mockWebGPU();
    const {warnings, start} = await load();
    const options = {precision: 'float16', allowSoftware: true} as const;
    expect(await start('webgpu', options)).toMatchObject({
      name: 'webgpu',
      gpu: 'a GPU',
      description: 'Computing on webgpu (a GPU, products in float16).',
    });
    expect(setupWebGPU).toHaveBeenCalledWith(options);
    expect(warnings).toEqual([]);
  });

  it('warns where products are not as they were asked for', async () => {
    const {warnings, start} = await load();
    expect((await start('cpu', {precision: 'float16'})).precision).toBe('float32');
    expect(warnings).toEqual(['backend: products are in float32, since cpu has none in float16.']);
  });
});

describe("'auto'", () => {
  const {platform} = process;
  const pretend = (value: string) => Object.defineProperty(process, 'platform', {value});
  afterEach(() => pretend(platform));

  it('is webgpu where there is a GPU', async () => {
    pretend('linux');
    mockWebGPU();
    mockDevices('/dev/nvidiactl');
    const {warnings, start} = await load();
    expect(await start('auto')).toMatchObject({
      name: 'webgpu',
      description: 'Computing on webgpu (a GPU, products in float32).',
    });
    expect(warnings).toEqual([]);
  });

  it('is wasm where there is none, and looks for no driver', async () => {
    pretend('linux');
    const setupWebGPU = mockWebGPU();
    mockDevices();
    const {warnings, start} = await load();
    expect(await start('auto')).toMatchObject({
      name: 'wasm',
      description: 'Computing on wasm; webgpu does not start: there is no GPU.',
    });
    expect(setupWebGPU).not.toHaveBeenCalled();
    expect(warnings).toEqual([]);
  });

  it('is wasm where webgpu fails, and says why', async () => {
    pretend('darwin');
    mockWebGPU('version GLIBC_2.38 not found');
    const {start} = await load();
    expect((await start('auto')).description).toBe(
      'Computing on wasm; webgpu does not start: version GLIBC_2.38 not found.',
    );
  });

  it('may be software where that is allowed', async () => {
    pretend('linux');
    mockWebGPU();
    mockDevices();
    const {start} = await load();
    expect((await start('auto', {allowSoftware: true})).name).toBe('webgpu');
  });
});
