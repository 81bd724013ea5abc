import type {RunConfig} from './checkpoint';
import type {RunStorage} from './run_storage';

/** What a run is: what its metrics do not say, and those who compare runs need. */
export interface RunInfo {
  /** What legends call it. */
  name: string;
  /** The floating-point operations of a training step for one token. */
  flopsPerToken?: number;
  config: RunConfig;
}

const FILE = 'run.json';

export function writeRunInfo(folder: RunStorage, info: RunInfo) {
  void folder.write(FILE, `${JSON.stringify(info, null, 2)}\n`);
}

/** Undefined where the folder is not that of a run. */
export function readRunInfo(folder: RunStorage): RunInfo | undefined {
  const file = folder.read(FILE);
  return file && (JSON.parse(new TextDecoder().decode(file)) as RunInfo);
}
