/** Tools for IEC 60870-5-104 devices. */
import type { Command } from 'commander';
import { json } from './options.ts';

export function iec104Commands(program: Command): void {
  const iec104 = program.command('iec104').description('tools for IEC 60870-5-104 devices');
  const address: [string, string] = ['<host:port>', 'the device; port 2404 when left out'];
  const widths = (command: Command): Command =>
    command
      .option('--originator <octet>', 'originator address', '0')
      .option('--tls-ca <file>', 'PEM of the CA: speak TLS (IEC 62351-3)')
      .option('--tls-cert <file>', 'PEM certificate of this side')
      .option('--tls-key <file>', 'PEM private key of this side')
      .option('--tls-server-name <name>', 'name that the certificate of the device must carry');

  widths(iec104.command('listen'))
    .description('connect, interrogate, and print every information object that arrives')
    .argument(...address)
    .option('--ca <address>', 'common address to interrogate; 65535 = all', '65535')
    .option('--no-interrogate', 'only listen')
    .option('--count <n>', 'stop after n information objects')
    .option('--for <seconds>', 'stop after this time')
    .option(...json)
    .action(async (at, options) => (await import('../commands/iec104.ts')).listen(at, options));

  widths(iec104.command('command'))
    .description('send one command or set-point; never repeated')
    .argument(...address)
    .requiredOption('--ca <address>', 'common address')
    .requiredOption('--ioa <address>', 'information object address')
    .requiredOption(
      '--type <type>',
      'C_SC_NA_1, C_DC_NA_1, C_RC_NA_1, C_SE_NA_1, C_SE_NB_1, C_SE_NC_1, C_BO_NA_1 (or …_TA_1)',
    )
    .requiredOption('--value <value>', 'on/off, 1/0, 2/1 for double commands, a number for set-points')
    .option('--select', 'select before operate')
    .option('--qualifier <n>', 'QU of the command', '0')
    .option(...json)
    .action(async (at, options) => (await import('../commands/iec104.ts')).command(at, options));

  widths(iec104.command('scan'))
    .description('draft a point list (CSV) from a general interrogation')
    .argument(...address)
    .option('--ca <address>', 'common address; 65535 = all', '65535')
    .option('--settle <seconds>', 'how long to go on listening after the interrogation', '2')
    .option(...json)
    .action(async (at, options) => (await import('../commands/iec104.ts')).scan(at, options));
}
