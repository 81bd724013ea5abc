// The API, core.ts, and the kernels of every backend.
import './register';

export * from './core';
