// SwiftShader, a GPU in software, comes inside an npm package together with a Chromium. The tests run
// WebGPU on it in Node.js, where no GPU is needed and every machine computes the same.
import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';

/**
 * Unpacks SwiftShader and says with which environment a process must start to find it.
 *
 * @returns {Promise<{env: Record<string, string>} | {missing: string}>} The variables, or why there is
 *     no SwiftShader here.
 */
export async function softwareGpu() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      missing: `SwiftShader is packed for linux x64, this is ${process.platform} ${process.arch}`,
    };
  }
  try {
    const {default: chromium} = await import('@sparticuz/chromium');
    const folder = dirname(await chromium.executablePath());
    const driver = join(folder, 'vk_swiftshader_icd.json');
    if (!existsSync(driver)) {
      return {missing: `${driver} was not unpacked`};
    }
    const libraries = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
    return {env: {VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: libraries}};
  } catch (error) {
    return {missing: error.message};
  }
}
