// Chromium comes inside an npm package: a real browser for the tests that nobody has to install.
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {brotliDecompressSync} from 'node:zlib';

/**
 * Unpacks Chromium and sees whether it starts.
 *
 * @returns {Promise<{executable: string, libraries?: string} | {missing: string}>} The program and the
 *     folder of the libraries that it needs and this machine lacks, or why there is no Chromium here.
 */
export async function chromium() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      missing: `Chromium is packed for linux x64, this is ${process.platform} ${process.arch}`,
    };
  }
  try {
    const {default: packed} = await import('@sparticuz/chromium');
    const executable = await packed.executablePath();
    if (whyNotStarting(executable) == null) {
      return {executable};
    }
    const libraries = unpackLibraries();
    const reason = whyNotStarting(executable, libraries);
    return reason == null ? {executable, libraries} : {missing: `Chromium: ${reason}`};
  } catch (error) {
    return {missing: error.message};
  }
}

function whyNotStarting(executable, libraries) {
  const env = {...process.env, ...(libraries == null ? {} : {LD_LIBRARY_PATH: libraries})};
  const {status, stderr, error} = spawnSync(executable, ['--version'], {env, encoding: 'utf8'});
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** NSS and NSPR, which the package has for a system that comes without. */
function unpackLibraries() {
  const folder = join(tmpdir(), 'chromium-libraries');
  const libraries = join(folder, 'lib');
  if (!existsSync(libraries)) {
    const build = dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium')));
    const packed = readFileSync(join(build, '../../bin/al2023.tar.br'));
    mkdirSync(folder, {recursive: true});
    const {status, stderr} = spawnSync('tar', ['-x', '-C', folder], {
      input: brotliDecompressSync(packed),
      encoding: 'utf8',
    });
    if (status !== 0) {
      throw new Error(`the libraries of Chromium were not unpacked: ${stderr}`);
    }
  }
  return libraries;
}
