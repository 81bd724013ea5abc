import {CommanderError} from 'commander';
import '../src/register';
import {parseOptions} from './language_model/options';
import {run} from './language_model/run';

/**
 * Trains a language model with a dropless mixture of experts, and a dense one beside it.
 *
 * @param args The arguments of the command line; `--help` lists them.
 */
export async function main(args: readonly string[]): Promise<void> {
  try {
    process.exitCode = await run(parseOptions(args));
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
