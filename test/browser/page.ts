import {runTests} from '../gpu/runner';
import {fetchFiles} from './node_in_page';

declare global {
  /** Tells the Jest test of this title how it ended. */
  var reportTest: (fullTitle: string, error?: string) => Promise<void>;
  var runTestFiles: () => Promise<void>;
}

/** Lets the page be told to run the test files, given how to load each. */
export function preparePage(files: readonly (() => Promise<unknown>)[]) {
  globalThis.runTestFiles = async () => {
    await fetchFiles();
    for (const load of files) {
      await runTests(load, {
        onPass: (fullTitle) => void reportTest(fullTitle),
        onFailure: (fullTitle, error) =>
          void reportTest(fullTitle, error instanceof Error ? error.stack : String(error)),
      });
    }
  };
}
