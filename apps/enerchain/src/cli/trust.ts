/** Receipts and attestation: what anyone can check. */
import type { Command } from 'commander';
import { data, json } from './options.ts';

export function trustCommands(program: Command): void {
  program
    .command('receipt')
    .description(
      'take the receipt of a value from a running system: everything that proves where it came from, in one file',
    )
    .argument('<point>', 'name or mRID of the point')
    .requiredOption('--out <file>', 'where the receipt goes')
    .option('--at <time>', 'ISO 8601: the last value at or before it; by default the newest')
    .option('--wait <seconds>', 'how long to wait for the attestation behind a new value', '60')
    .option(...data)
    .action(async (point, options) => (await import('../commands/receipt.ts')).receipt(point, options));

  program
    .command('anchor')
    .description('write down what receipts are checked against: authorities, log key, witnesses, policy')
    .requiredOption('--out <file>', 'where the anchor goes')
    .option(...data)
    .action(async (options) => (await import('../commands/receipt.ts')).anchor(options));

  program
    .command('verify')
    .description('check a receipt offline; exit status 0 only if every link of its chain holds')
    .argument('<receipt>', 'file of the receipt')
    .requiredOption(
      '--anchor <file>',
      'what is believed: from whoever runs the system, by another way than the receipt',
    )
    .option(...json)
    .action(async (file, options) => (await import('../commands/verify.ts')).verify(file, options));

  program
    .command('log')
    .description('the transparency log of a system, from outside')
    .command('monitor')
    .description('follow the log and check that it only ever grows; exit status 1 when it does not')
    .requiredOption('--anchor <file>', 'name and key of the log')
    .option('--state <file>', 'where the newest checkpoint is remembered', 'enerchain-monitor.note')
    .option('--every <seconds>', 'how often to look', '10')
    .option('--once', 'look once and stop')
    .option(...data)
    .option(...json)
    .action(async (options) => (await import('../commands/receipt.ts')).monitor(options));

  const attest = program.command('attest').description('reference values, evidence and results of attestation');

  attest
    .command('manifest')
    .description('makes a signed manifest (CoRIM) of an installation, or of files of one node')
    .requiredOption('--key <file>', 'PEM of the P-256 key that signs; made when it is not there')
    .option('--root <folder>', 'the installation; default: this one')
    .option('--node <name>', 'for this node alone: the files named with --file, and nothing else')
    .option('--file <name=path...>', 'a component and its file, for example config:site=site.yaml')
    .option('--site <file>', 'a site file, its point lists and what it measures, as components of its gateway')
    .option('--id <text>', 'name and version of what it describes', 'enerchain')
    .option('--signer <name>', 'who signs', 'authority')
    .option('--days <days>', 'how long it holds', '400')
    .option('--out <folder>', 'where the manifest and the public key go', '.')
    .action(async (options) => (await import('../commands/attest.ts')).manifest(options));

  attest
    .command('show')
    .description('what stands in a manifest, in evidence, or in a result')
    .argument('<file>')
    .option(...json)
    .action(async (file, options) => (await import('../commands/attest.ts')).show(file, options));

  attest
    .command('appraise')
    .description('appraises evidence from a file; exit status 0 only when it is good')
    .argument('<evidence>', 'file')
    .requiredOption('--node <name>', 'who is said to attest')
    .requiredOption('--ca <file>', 'PEM of the authority that issues identities')
    .requiredOption('--manifest <files...>', 'reference values')
    .requiredOption('--authority <files...>', 'PEM: keys or certificates of who signs manifests')
    .option('--binding <hex>', 'what it must answer; default: whatever it answers')
    .option('--at <time>', 'ISO 8601: when it was appraised; default now')
    .option('--policy <policy>', 'development, production, or a JSON file', 'production')
    .option(...json)
    .action(async (file, options) => (await import('../commands/attest.ts')).appraise(file, options));

  attest
    .command('coap')
    .description(
      'asks for a quote over CoAP (CHARRA); exit status 0 only when it is as expected, which is a warning at best',
    )
    .argument('<host:port>')
    .requiredOption('--key <file>', 'TPMT_PUBLIC of the attestation key (coap-key.tpmt in the data folder of a node)')
    .requiredOption('--expect <file>', 'values of PCRs, {"<pcr>": "<SHA-256, hex>"}')
    .option('--key-id <name>', 'name of the key at the attester', 'PK.RSA.default')
    .option(...json)
    .action(async (target, options) => (await import('../commands/attest-coap.ts')).coap(target, options));
}
