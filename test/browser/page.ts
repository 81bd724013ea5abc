import {runTests} from '../gpu/runner';
import {chooseBackends} from '../settings';
import {fetchFiles} from './node_in_page';

declare global {
  /** Tells the Jest test of this title how it ended. */
  var reportTest: (fullTitle: string, error?: string) => Promise<void>;
  var runTestFiles: () => Promise<void>;
}

/** A test file: on which backends, and how to load it. */
interface LoadableTests {
  backends: readonly string[];
  load: () => Promise<unknown>;
}

/** Lets the page be told to run the test files. */
export function preparePage(files: readonly LoadableTests[]) {
  globalThis.runTestFiles = async () => {
    await fetchFiles();
    for (const {backends, load} of files) {
      chooseBackends(backends);
      await runTests(load, {
        onPass: (fullTitle) => void reportTest(fullTitle),
        onFailure: (fullTitle, error) =>
          void reportTest(fullTitle, error instanceof Error ? error.stack : String(error)),
      });
    }
  };
}
