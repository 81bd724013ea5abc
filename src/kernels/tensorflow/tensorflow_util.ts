import type {KernelConfig, TensorInfo, TypedArray} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import type {Precision} from '../../kernel_names';
import {tensorflowPrecision} from './precision';

// The kernels of this backend are TensorFlow ops of the same names, in native/. So a kernel here is the
// order in which its op takes the inputs, and the types of its attributes.

/** What the kernels use of tfjs-node's backend. */
export interface TensorFlowBackend {
  binding: Record<string, number>;
  executeMultipleOutputs(
    name: string,
    attrs: {name: string; type: number; value: unknown}[],
    inputs: TensorInfo[],
    numOutputs: number,
  ): TensorInfo[];
  write(values: TypedArray, shape: number[], dtype: 'float32' | 'int32'): object;
  disposeData(dataId: object): boolean;
}

/** The types of attributes, by what tfjs-node's binding calls them. */
const ATTRIBUTE_TYPES = {
  bool: 'TF_ATTR_BOOL',
  float: 'TF_ATTR_FLOAT',
  int: 'TF_ATTR_INT',
  string: 'TF_ATTR_STRING',
} as const;

/** How a kernel calls its op. */
export interface OpCall<Inputs, Attrs> {
  /** In the op's order; one that is not given is left out. */
  inputs: (string & keyof Inputs)[];
  attrs?: Partial<Record<string & keyof Attrs, keyof typeof ATTRIBUTE_TYPES>>;
  /** Whether it is a product, which can multiply in several precisions. */
  multiplies?: boolean;
  /** Default 1. */
  numOutputs?: number;
}

/** The kernel that runs the TensorFlow op of its name. */
export function tensorflowKernel<Inputs extends object, Attrs extends object>(
  kernelName: string,
  call: OpCall<Inputs, Attrs>,
): KernelConfig {
  return kernelConfig<Inputs, Attrs, TensorFlowBackend>(
    kernelName,
    'tensorflow',
    ({inputs, attrs, backend}) => {
      const given = call.inputs.map((name) => inputs[name] as TensorInfo | undefined);
      const outputs = backend.executeMultipleOutputs(
        kernelName,
        [
          ...Object.entries(call.attrs ?? {}).map(([name, type]) => ({
            name,
            type: backend.binding[ATTRIBUTE_TYPES[type as keyof typeof ATTRIBUTE_TYPES]],
            value: attrs[name as keyof Attrs] as unknown,
          })),
          ...(call.multiplies ? [precisionAttribute(attrs, backend)] : []),
        ],
        given.filter((input) => input != null),
        call.numOutputs ?? 1,
      );
      return call.numOutputs == null ? outputs[0] : outputs;
    },
  );
}

function precisionAttribute(attrs: {precision?: Precision}, backend: TensorFlowBackend) {
  const type = backend.binding[ATTRIBUTE_TYPES.string];
  return {name: 'precision', type, value: tensorflowPrecision(attrs.precision)};
}
