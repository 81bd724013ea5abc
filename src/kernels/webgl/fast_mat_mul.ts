import type {KernelConfig} from '@tensorflow/tfjs-core';
import {batchMatMulConfig} from './BatchMatMul';
import {fusedMatMulConfig} from './FusedMatMul';

/** What takes the place of tfjs' own on this backend, on request. */
export const fastMatMulConfigs: KernelConfig[] = [batchMatMulConfig, fusedMatMulConfig];
