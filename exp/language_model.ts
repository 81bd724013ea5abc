import '../src/register';
import {runCommand} from './command_line/run_command';
import {parseOptions} from './language_model/options';
import {run} from './language_model/run';

/**
 * Trains a language model with a dropless mixture of experts, and a dense one beside it.
 *
 * @param args The arguments of the command line; `--help` lists them.
 */
export async function main(args: readonly string[]): Promise<void> {
  await runCommand(() => run(parseOptions(args)));
}
