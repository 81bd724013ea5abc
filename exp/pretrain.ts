import '../src/register';
import {runCommand} from './command_line/run_command';
import {parseOptions, withoutEffect} from './pretrain/options';
import {run} from './pretrain/run';

/**
 * Trains a GPT on indexed data sets, by Megatron-LM's options.
 *
 * @param args The arguments of the command line; `--help` lists them.
 */
export async function main(args: readonly string[]): Promise<void> {
  await runCommand(() => run(parseOptions(args), withoutEffect(args)));
}
