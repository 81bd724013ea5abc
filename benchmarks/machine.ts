import * as tf from '@tensorflow/tfjs';
import {availableParallelism, cpus, platform, release, totalmem} from 'node:os';

/** What a figure depends on besides the code. */
export interface Machine {
  cpu: string;
  /** Where a GPU computes. */
  gpu?: string;
  cores: number;
  memoryGiB: number;
  system: string;
  node: string;
  /** What runs the page, where one is measured. */
  browser?: string;
  tfjs: string;
  backend: string;
}

export function describeMachine({
  gpu,
  backend,
  browser,
}: Pick<Machine, 'gpu' | 'backend' | 'browser'>): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    gpu,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    tfjs: tf.version_core,
    browser,
    backend,
  };
}
