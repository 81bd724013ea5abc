import {type Browser, chromium} from 'playwright-core';

/** What `npm test` found: a Chromium, or why there is none. */
export interface Found {
  executable?: string;
  /** A folder of libraries that it needs. */
  libraries?: string;
  missing?: string;
}

const {MEGABLOCKS_CHROMIUM = '{"missing": "npm test finds it"}'} = process.env;
export const found = JSON.parse(MEGABLOCKS_CHROMIUM) as Found;

/** WebGPU and WebGL in software, and nothing that asks the network. */
const ARGUMENTS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the Chromium that was found. */
export function launchChromium({executable, libraries}: Found = found): Promise<Browser> {
  const paths = [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return chromium.launch({
    executablePath: executable,
    args: ARGUMENTS,
    env: {...process.env, LD_LIBRARY_PATH: paths},
  });
}
