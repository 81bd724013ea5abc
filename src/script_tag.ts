// The global `megablocks` of a page that loads the package by a script tag: all entries as one.
export * from './index';
export * from './webgl';
export * from './webgpu';
