/** The command line as a whole. What a command does lies in `commands/` and is loaded only when it is asked for. */
import { describeError, EnerchainError } from '@enerchain/model';
import { Command } from 'commander';
import { gridCommands } from './grid.ts';
import { iec104Commands } from './iec104.ts';
import { iec61850Commands } from './iec61850.ts';
import { systemCommands } from './system.ts';
import { trustCommands } from './trust.ts';

/** What speaks TLS with others for as long as it runs. */
const LASTING = ['up', 'centre', 'edge', 'grid-state'];

export function createProgram(): Command {
  const program = new Command('enerchain')
    .description('Connects grid devices to the control centre over a chain of trust anyone can check')
    .version('0.1.0')
    .showHelpAfterError('(enerchain --help lists the commands)')
    .enablePositionalOptions();
  program.hook('preAction', async (_program, command) => {
    if (LASTING.includes(command.name())) await (await import('../runtime.ts')).checkRuntimeOnce();
  });
  systemCommands(program);
  trustCommands(program);
  gridCommands(program);
  iec104Commands(program);
  iec61850Commands(program);
  return program;
}

/**
 * Carries out a command line; what goes wrong is said on stderr.
 * @returns whether it came to its end; `process.exitCode` is the command's own word besides
 */
export async function carryOut(args: readonly string[]): Promise<boolean> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return true;
  } catch (error) {
    // A sentence for people; the stack only when it is our own fault or was asked for.
    const ours =
      !(error instanceof EnerchainError) && !(error instanceof Error && 'fault' in error && error.fault !== 'local');
    process.stderr.write(`${ours || process.env.ENERCHAIN_DEBUG ? (error as Error).stack : describeError(error)}\n`);
    process.exitCode = 1;
    return false;
  }
}
