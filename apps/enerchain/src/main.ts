/**
 * `enerchain`: the one command. Its subcommands are declared in `cli/`; each is a file in `commands/`, loaded only when
 * it is asked for, so that a field tool starts quickly and a missing optional part disturbs nobody else.
 */
import './measured.ts';

// Everything else is loaded from here on, so that all of it is measured.
const { carryOut } = await import('./cli/program.ts');

// `enerchain values | head` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

if (!(await carryOut(process.argv.slice(2)))) {
  // Nothing that was half started may keep the process: who supervises it waits for its end.
  if (process.connected) process.disconnect();
  setTimeout(() => process.exit(1), 3_000).unref();
}
