import {expect} from 'expect';
import {ModuleMocker} from 'jest-mock';
import {format, inspect} from 'node:util';

// What the test files use of Jest, for machines that have Node.js and nothing else, and for browsers: the
// globals, and running what was declared with them.

type Body = () => unknown;
/** Of a row of `each`, and so of any arguments. */
type EachBody = (...row: never[]) => unknown;

interface Test {
  title: string;
  /** Of all blocks and the test, as `--filter` sees it. */
  fullTitle: string;
  body: Body;
  timeout: number;
  skip: boolean;
}

interface Block {
  title: string;
  parent?: Block;
  skip: boolean;
  beforeAll: Hook[];
  beforeEach: Hook[];
  afterEach: Hook[];
  afterAll: Hook[];
  children: (Block | Test)[];
}

interface Hook {
  body: Body;
  timeout: number;
}

/** As in jest.config.js. */
const TIMEOUT = 120_000;

/** Where tests and hooks are declared at the moment. */
let current: Block = newBlock('', undefined, false);

function newBlock(title: string, parent: Block | undefined, skip: boolean): Block {
  const hooks = {beforeAll: [], beforeEach: [], afterEach: [], afterAll: []};
  return {title, parent, skip, ...hooks, children: []};
}

function declareBlock(title: string, body: Body, skip: boolean) {
  const block = newBlock(title, current, skip || current.skip);
  current.children.push(block);
  current = block;
  try {
    body();
  } finally {
    current = block.parent!;
  }
}

function declareTest(title: string, body: Body, timeout = TIMEOUT, skip = false) {
  const titles = [title];
  for (let block: Block | undefined = current; block != null; block = block.parent) {
    titles.unshift(block.title);
  }
  const fullTitle = titles.filter(Boolean).join(' ');
  current.children.push({title, fullTitle, body, timeout, skip: skip || current.skip});
}

/** `test.each(rows)(title, body, timeout)`, given how one is declared. */
function eachOf(declare: (title: string, body: Body, timeout?: number) => void) {
  return (rows: readonly unknown[]) => (title: string, body: EachBody, timeout?: number) => {
    rows.forEach((row, i) => {
      const args = (Array.isArray(row) ? row : [row]) as never[];
      declare(formatTitle(title, args, i), () => body(...args), timeout);
    });
  };
}

/** `$name` and `$name.field` stand for fields of the row, %p, %s, %d, %j and %# for its elements in turn. */
function formatTitle(title: string, args: readonly unknown[], number: number): string {
  const [first] = args;
  const named =
    typeof first === 'object' && first != null && !Array.isArray(first)
      ? title.replace(/\$([\w.]+)/g, (whole, path: string) => {
          const value = path
            .split('.')
            .reduce<unknown>((x, key) => (x as Record<string, unknown> | undefined)?.[key], first);
          return value === undefined ? whole : typeof value === 'string' ? value : inspect(value);
        })
      : title;
  let next = 0;
  return named.replace(/%([psdijfo#%])/g, (whole, kind: string) => {
    if (kind === '%') {
      return '%';
    }
    if (kind === '#') {
      return String(number);
    }
    if (next >= args.length) {
      return whole;
    }
    const value = args[next++];
    return kind === 'p' ? inspect(value, {breakLength: Infinity}) : format(whole, value);
  });
}

function hook(kind: 'beforeAll' | 'beforeEach' | 'afterEach' | 'afterAll') {
  return (body: Body, timeout = TIMEOUT) => current[kind].push({body, timeout});
}

function installGlobals() {
  const describe = (title: string, body: Body) => declareBlock(title, body, false);
  const skipBlock = (title: string, body: Body) => declareBlock(title, body, true);
  const test = (title: string, body: Body, timeout?: number) => declareTest(title, body, timeout);
  const skipTest = (title: string, body: Body, timeout?: number) =>
    declareTest(title, body, timeout, true);
  Object.assign(describe, {
    each: eachOf(describe),
    skip: Object.assign(skipBlock, {each: eachOf(skipBlock)}),
  });
  Object.assign(test, {
    each: eachOf(test),
    skip: Object.assign(skipTest, {each: eachOf(skipTest)}),
  });
  const mocker = new ModuleMocker(globalThis);
  Object.assign(globalThis, {
    describe,
    test,
    it: test,
    expect,
    jest: {
      fn: mocker.fn.bind(mocker),
      spyOn: mocker.spyOn.bind(mocker),
      restoreAllMocks: mocker.restoreAllMocks.bind(mocker),
    },
    beforeAll: hook('beforeAll'),
    beforeEach: hook('beforeEach'),
    afterEach: hook('afterEach'),
    afterAll: hook('afterAll'),
  });
}

installGlobals();

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

export interface RunOptions {
  /** Which tests run, by the titles of their blocks and their own. Default: all. */
  filter?: RegExp;
  /** Told of every test that passed. */
  onPass?: (fullTitle: string) => void;
  /** Told of every failure as it comes. */
  onFailure: (fullTitle: string, error: unknown) => void;
}

/** Declares what `declare` declares, and runs it. Tests that the filter leaves out are not counted. */
export async function runTests(
  declare: () => unknown,
  {filter, onPass, onFailure}: RunOptions,
): Promise<Totals> {
  const root = newBlock('', undefined, false);
  const totals: Totals = {passed: 0, failed: 0, skipped: 0};
  current = root;
  try {
    await declare();
  } catch (error) {
    totals.failed++;
    onFailure('(declaring the tests)', error);
    return totals;
  }

  const fail = (test: Test, error: unknown) => {
    totals.failed++;
    onFailure(test.fullTitle, error);
  };

  const runTest = async (test: Test, blocks: Block[]) => {
    const errors: unknown[] = [];
    const attempt = async ({body, timeout}: Hook) => {
      try {
        await within(timeout, body);
      } catch (error) {
        errors.push(error);
      }
    };
    for (const {beforeEach} of blocks) {
      for (const each of beforeEach) {
        await attempt(each);
      }
    }
    if (errors.length === 0) {
      await attempt(test);
    }
    for (const {afterEach} of [...blocks].reverse()) {
      for (const each of afterEach) {
        await attempt(each);
      }
    }
    if (errors.length > 0) {
      fail(test, errors[0]);
    } else {
      totals.passed++;
      onPass?.(test.fullTitle);
    }
  };

  const runBlock = async (block: Block, outer: Block[]) => {
    const tests = testsOf(block).filter(({fullTitle}) => filter?.test(fullTitle) ?? true);
    totals.skipped += block.children.filter(
      (child) => isTest(child) && child.skip && tests.includes(child),
    ).length;
    const runs = tests.some(({skip}) => !skip);
    let error: unknown;
    if (runs) {
      error = await firstError(block.beforeAll);
      if (error != null) {
        tests.filter(({skip}) => !skip).forEach((test) => fail(test, error));
      }
    }
    for (const child of error == null ? block.children : []) {
      if (!isTest(child)) {
        await runBlock(child, [...outer, block]);
      } else if (!child.skip && tests.includes(child)) {
        await runTest(child, [...outer, block]);
      }
    }
    if (runs) {
      const after = await firstError(block.afterAll);
      if (after != null) {
        totals.failed++;
        onFailure(`(after ${block.title || 'all'})`, after);
      }
    }
  };

  await runBlock(root, []);
  return totals;
}

function isTest(child: Block | Test): child is Test {
  return 'body' in child;
}

function testsOf({children}: Block): Test[] {
  return children.flatMap((child) => (isTest(child) ? [child] : testsOf(child)));
}

async function firstError(hooks: Hook[]): Promise<unknown> {
  for (const {body, timeout} of hooks) {
    try {
      await within(timeout, body);
    } catch (error) {
      return error ?? new Error('nothing was thrown');
    }
  }
  return undefined;
}

async function within(timeout: number, body: Body) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await Promise.race([
      (async () => body())(),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`took more than ${timeout} ms`)), timeout);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
