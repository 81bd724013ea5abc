type Body = () => Promise<void>;
type Declare = (title: string, body: unknown, timeout?: number) => void;

/**
 * Has Jest declare the tests of other files under their own titles, with `body` in the place of what they
 * do, and without their hooks.
 */
export function declareWithBody(load: () => void, body: Body) {
  const {test, beforeAll, beforeEach, afterEach, afterAll} = globalThis;
  const none = () => undefined;
  const declare: Declare = (title, _, timeout) => test(title, body, timeout);
  Object.assign(globalThis, {
    beforeAll: none,
    beforeEach: none,
    afterEach: none,
    afterAll: none,
    test: Object.assign(declare, {
      each: (rows: unknown[]): Declare => {
        const each = test.each(rows) as (title: string, body: Body, timeout?: number) => void;
        return (title, _, timeout) => each(title, body, timeout);
      },
      skip: test.skip,
    }),
  });
  try {
    load();
  } finally {
    Object.assign(globalThis, {test, beforeAll, beforeEach, afterEach, afterAll});
  }
}
