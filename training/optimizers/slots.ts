import {dispose, type Tensor, tidy, type Variable, variable, zeros} from '@tensorflow/tfjs-core';
import {assert} from '../../src/asserts';
import type {NamedTensor} from './training_optimizer';

/** The state of an optimizer: variables by the index of their parameter and by their name. */
export class Slots {
  private readonly variables = new Map<string, Variable>();

  /** @param op What errors call the optimizer. */
  constructor(private readonly op: string) {}

  /**
   * The variable of a parameter; zeros where it is new.
   *
   * @throws If it was restored with another shape.
   */
  get(index: number, name: string, shape: number[]): Variable {
    const key = `${index}/${name}`;
    let found = this.variables.get(key);
    if (found == null) {
      found = tidy(() => variable(zeros(shape), false)) as Variable;
      this.variables.set(key, found);
    }
    const got = found.shape;
    assert(
      String(got) === String(shape),
      () => `${this.op}: the state ${key} must have shape [${shape}], got [${got}]`,
    );
    return found;
  }

  /** Removes the variables of a name. */
  remove(name: string) {
    for (const [key, value] of this.variables) {
      if (key.endsWith(`/${name}`)) {
        value.dispose();
        this.variables.delete(key);
      }
    }
  }

  list(): NamedTensor[] {
    return [...this.variables].map(([name, tensor]) => ({name, tensor: tensor as Tensor}));
  }

  /** Replaces all variables by copies of these. */
  restore(tensors: readonly NamedTensor[]) {
    this.clear();
    for (const {name, tensor} of tensors) {
      this.variables.set(name, variable(tensor, false) as Variable);
    }
  }

  clear() {
    dispose([...this.variables.values()]);
    this.variables.clear();
  }
}
