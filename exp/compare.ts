import {runCommand} from './command_line/run_command';
import {parseOptions} from './compare/options';
import {run} from './compare/run';

/**
 * Sets runs beside each other.
 *
 * @param args The arguments of the command line; `--help` lists them.
 */
export async function main(args: readonly string[]): Promise<void> {
  await runCommand(async () => run(parseOptions(args)));
}
