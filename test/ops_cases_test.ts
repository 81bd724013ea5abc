import * as tf from '@tensorflow/tfjs';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import * as megablocks from '../src/index';
import {describeEachBackend, maxInt} from './backends';
import {expectClose} from './close';

// Runs test/cases/*.json: one file an op, the same cases on every backend. A case gives its tensors
// as {"f32": nested array} or {"i32": ...} (with "shape" where the array is empty), its plain
// arguments under "attrs", and either "expected" (one tensor or a list) or the "error" it must throw.

type Json = number | Json[];
interface TensorCase {
  f32?: Json;
  i32?: Json;
  shape?: number[];
}
interface Case {
  name: string;
  inputs: Record<string, TensorCase>;
  attrs?: Record<string, unknown>;
  expected?: TensorCase | TensorCase[];
  tolerance?: number;
  error?: string;
}
interface CaseFile {
  op: string;
  args: string[];
  cases: Case[];
}

function toTensor({f32, i32, shape}: TensorCase): tf.Tensor {
  const dtype = i32 == null ? 'float32' : 'int32';
  return tf.tensor((i32 ?? f32) as number[], shape, dtype);
}

function hasAbove(max: number, {i32}: TensorCase): boolean {
  const some = (x: Json): boolean => (Array.isArray(x) ? x.some(some) : Math.abs(x) > max + 1);
  return i32 != null && some(i32);
}

const folder = join(__dirname, 'cases');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));

describeEachBackend('cases', (backendName) => {
  for (const file of files) {
    const {op, args, cases} = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CaseFile;
    describe(op, () => {
      test.each(cases)('$name', ({inputs, attrs = {}, expected, tolerance, error}) => {
        tf.tidy(() => {
          const tensors = Object.fromEntries(
            Object.entries(inputs).map(([name, value]) => [name, toTensor(value)]),
          );
          const f = (megablocks as unknown as Record<string, (...a: unknown[]) => unknown>)[op];
          const run = () => f(...args.map((name) => tensors[name] ?? attrs[name]));
          const refused = Object.values(inputs).some((x) => hasAbove(maxInt(backendName), x));
          if (error != null || refused) {
            expect(run).toThrow(error ?? 'at most 2^24 in magnitude');
            return;
          }
          const result = run() as tf.Tensor | tf.Tensor[] | Record<string, tf.Tensor>;
          const results = result instanceof tf.Tensor ? [result] : Object.values(result);
          const wanted = [expected!].flat().map(toTensor);
          expect(results.length).toBe(wanted.length);
          results.forEach((result, i) => {
            expect(result.dtype).toBe(wanted[i].dtype);
            expectClose(result, wanted[i], {
              tolerance: tolerance ?? (result.dtype === 'int32' ? 0 : 1e-5),
            });
          });
        });
      });
    });
  }
});
