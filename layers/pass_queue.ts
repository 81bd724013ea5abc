import {currentTape} from '../src/tape';

/**
 * What the calls of a layer leave behind for the end of the same forward pass, in order. What is
 * left from an earlier pass, one that threw for example, is disposed when the next one begins, so
 * that nothing accumulates and nothing stale joins a later loss. Outside of a gradient nothing tells
 * one pass from the next, so there only the last call leaves something.
 */
export class PassQueue<T> {
  private items: T[] = [];
  private tape: object | null = null;

  constructor(private readonly dispose: (item: T) => void) {}

  push(item: T) {
    const tape = currentTape();
    if (tape == null || tape !== this.tape) {
      this.clear();
      this.tape = tape;
    }
    this.items.push(item);
  }

  /** Removes and returns the oldest item. */
  shift(): T | undefined {
    const item = this.items.shift();
    if (this.items.length === 0) {
      this.tape = null;
    }
    return item;
  }

  /** The items that wait, oldest first. */
  peek(): readonly T[] {
    return this.items;
  }

  clear() {
    this.items.forEach(this.dispose);
    this.items = [];
    this.tape = null;
  }
}
