/** A binary heap: `pop` gives the item that comes before all others. */
export class MaxHeap<T> {
  private readonly items: T[] = [];

  constructor(private readonly comesFirst: (a: T, b: T) => boolean) {}

  push(item: T) {
    const {items} = this;
    let i = items.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.comesFirst(item, items[parent])) {
        break;
      }
      items[i] = items[parent];
      i = parent;
    }
    items[i] = item;
  }

  pop(): T | undefined {
    const {items} = this;
    const first = items[0];
    const last = items.pop();
    if (items.length > 0) {
      this.sink(last!);
    }
    return first;
  }

  /** Fills the empty root: `item` goes down until it comes before its children. */
  private sink(item: T) {
    const {items} = this;
    let i = 0;
    for (let child = 1; child < items.length; child = 2 * i + 1) {
      if (child + 1 < items.length && this.comesFirst(items[child + 1], items[child])) {
        child++;
      }
      if (!this.comesFirst(items[child], item)) {
        break;
      }
      items[i] = items[child];
      i = child;
    }
    items[i] = item;
  }
}
