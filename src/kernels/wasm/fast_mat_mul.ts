import type {KernelConfig} from '@tensorflow/tfjs-core';
import {batchMatMulConfig} from './BatchMatMul';
import {fusedMatMulConfig} from './FusedMatMul';
import {identityConfig} from './Identity';

/**
 * What takes the place of tfjs' own on this backend, on request: the products, and the clone by which
 * the tape keeps their operands.
 */
export const fastMatMulConfigs: KernelConfig[] = [
  batchMatMulConfig,
  fusedMatMulConfig,
  identityConfig,
];
