/**
 * Code that sends a program a signal when it has printed something: at that moment, however busy the machine
 * is. It is to run in the program.
 */
export function signalAt(text: string, signal: NodeJS.Signals): string {
  return `
    const {write} = process.stdout;
    process.stdout.write = function (chunk, ...more) {
      if (String(chunk).includes(${JSON.stringify(text)})) {
        process.kill(process.pid, '${signal}');
      }
      return write.call(this, chunk, ...more);
    };`;
}
