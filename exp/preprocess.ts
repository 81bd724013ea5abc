import {runCommand} from './command_line/run_command';
import {parseOptions} from './preprocess/options';
import {run} from './preprocess/run';

/**
 * Makes Megatron-LM's indexed data sets of text.
 *
 * @param args The arguments of the command line; `--help` lists them.
 */
export async function main(args: readonly string[]): Promise<void> {
  await runCommand(() => run(parseOptions(args)));
}
