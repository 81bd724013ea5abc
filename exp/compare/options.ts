import {Command} from 'commander';
import {createOption} from '../command_line/option_rows';

/** All options of the command. */
export interface Options {
  /** Folders of runs, or folders that hold such. */
  runs: string[];
  out: string;
}

/**
 * Reads the options of the command line.
 *
 * @throws CommanderError, after printing why or the help, where the arguments end the program.
 */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command('npm run compare --')
    .usage('RUN RUN ... [options]')
    .description(
      'Draws the losses of runs over steps, tokens, floating-point operations and time, and says how ' +
        'much faster one reaches the loss of another.',
    )
    .argument('<run...>', 'folders of runs, or folders that hold such')
    .addOption(createOption(['--out <folder>', 'where the page goes', {default: 'runs/compare'}]))
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(npm run compare -- --help shows how)')
    .exitOverride();
  command.parse(args, {from: 'user'});
  return {runs: command.args, ...command.opts<{out: string}>()};
}
