/**
 * A plugin of esbuild: the packages of TensorFlow.js are the global `tf`, where their own script-tag
 * files put what they export.
 */
export const tensorflowGlobal = {
  name: 'tensorflow-global',
  setup: ({onResolve, onLoad}) => {
    onResolve({filter: /^@tensorflow\//}, ({path}) => ({path, namespace: 'tf'}));
    onLoad({filter: /.*/, namespace: 'tf'}, () => ({contents: 'module.exports = globalThis.tf;'}));
  },
};
