// A backend that does not start. Every test loads the modules anew, on packages that it replaces.

const WASM = '@tensorflow/tfjs-backend-wasm';
const CPU = '@tensorflow/tfjs-backend-cpu';

async function load() {
  const [{startBackend}, tf] = await Promise.all([
    import('../training/backend'),
    import('@tensorflow/tfjs-core'),
  ]);
  const warnings: string[] = [];
  return {tf, warnings, start: (name: string) => startBackend(name, (text) => warnings.push(text))};
}

describe('startBackend', () => {
  beforeEach(() => jest.resetModules());
  afterEach(() => {
    jest.dontMock(WASM);
    jest.dontMock(CPU);
  });

  it.each(['wasm', 'cpu'])('starts %s, without a word', async (name) => {
    const {tf, warnings, start} = await load();
    expect(await start(name)).toBe(name);
    expect(tf.getBackend()).toBe(name);
    expect(warnings).toEqual([]);
  });

  it('takes cpu where the package of the backend fails, and says why', async () => {
    jest.doMock(WASM, () => {
      throw new Error('no WebAssembly here');
    });
    const {tf, warnings, start} = await load();
    expect(await start('wasm')).toBe('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect(warnings).toEqual([
      'The wasm backend does not start (no WebAssembly here): cpu takes its place, which is far slower.',
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
    jest.spyOn(console, 'warn').mockImplementation(); // tfjs tells of it, too.
    expect(await start('wasm')).toBe('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect(warnings).toEqual([
      'The wasm backend does not start (it reports a failure): cpu takes its place, which is far slower.',
    ]);
  });

  it('says so where cpu does not start either', async () => {
    jest.doMock(CPU, () => {
      throw new Error('not even cpu');
    });
    const {start} = await load();
    await expect(start('cpu')).rejects.toThrow('backend: cpu does not start: not even cpu');
  });
});
