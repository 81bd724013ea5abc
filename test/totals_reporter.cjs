/**
 * Closes a run with its totals in one line that people and machines read alike. A parent process
 * gets the numbers instead, so that its own line can come last.
 */
module.exports = class TotalsReporter {
  onRunComplete(_contexts, results) {
    const passed = results.numPassedTests;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    if (process.send != null) {
      process.send({passed, failed, skipped});
    } else {
      process.on('exit', () => {
        process.stdout.write(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
      });
    }
  }
};
