import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** The package is for this platform alone. */
const isPacked = process.platform === 'linux' && process.arch === 'x64';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'chromium-libraries-'))));
afterEach(() => rmSync(folder, {recursive: true}));

/** What scripts/chromium.mjs finds where a folder is that of temporary files. */
function find(path = process.env.PATH) {
  const code = `
    const {chromium} = await import('./scripts/chromium.mjs');
    console.log(JSON.stringify(await chromium()));`;
  const {stdout} = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: join(__dirname, '..'),
    env: {...process.env, TMPDIR: folder, PATH: path, LD_LIBRARY_PATH: ''},
    encoding: 'utf8',
  });
  return JSON.parse(stdout);
}

function writeProgram(name: string, script: string) {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, {mode: 0o755});
}

(isPacked ? test : test.skip)('the libraries of Chromium are unpacked whole', () => {
  // A Chromium that needs them, on any machine; and at first a tar that ends half-way.
  writeProgram('chromium', '[ -e "$LD_LIBRARY_PATH/libnss3.so" ]');
  writeProgram('tar', '/bin/mkdir "$3/lib"; exit 1');
  expect(find(folder)).toEqual({
    missing: expect.stringContaining('the libraries of Chromium were not unpacked'),
  });
  expect(find()).toEqual({
    executable: join(folder, 'chromium'),
    libraries: join(folder, 'chromium-libraries/lib'),
  });
  expect(readdirSync(join(folder, 'chromium-libraries'))).toEqual(['lib']);
});
