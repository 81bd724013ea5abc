import {CommanderError} from 'commander';

/**
 * Runs a command, which gives the exit code, and says what went wrong.
 */
export async function runCommand(command: () => Promise<number>): Promise<void> {
  // A command is worth more than what it prints: it goes on where that is to go to a full disk.
  [process.stdout, process.stderr].forEach((stream) => stream.on('error', () => undefined));
  try {
    process.exitCode = await command();
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
    if (!(error instanceof CommanderError)) {
      console.error(`error: ${describe(error)}`);
    } // Else Commander has said itself what is wrong.
  }
}

/** What the user did wrong needs no stack; what the program did wrong has one. */
function describe(error: unknown): string {
  const {name, message, stack} = error as Error;
  return name === 'Error' ? message : (stack ?? message);
}
