/** Tools for IEC 61850: SCL files and devices. */
import type { Command } from 'commander';
import { json } from './options.ts';

export function iec61850Commands(program: Command): void {
  const scl = program.command('scl').description('IEC 61850 SCL files: check them, look into them, compare them');

  scl
    .command('check')
    .description('what is wrong with SCL files, with line and rule; status 1 when there are errors')
    .argument('<files...>', 'ICD, CID, IID, SCD or SSD')
    .option('--xsd <file>', 'validate by the schema of the standard too: SCL.xsd, with what it includes beside it')
    .option(...json)
    .action(async (files, options) => (await import('../commands/scl.ts')).sclCheck(files, options));

  scl
    .command('tree')
    .description('IEDs, devices, nodes and data objects of an SCL file')
    .argument('<file>')
    .option('--ied <name>', 'only this IED')
    .option('--attributes', 'attributes with their values, not data objects only')
    .option(...json)
    .action(async (file, options) => (await import('../commands/scl.ts')).sclTree(file, options));

  scl
    .command('diff')
    .description('what two SCL files say differently, whatever they look like; status 1 when there is something')
    .argument('<before>')
    .argument('<after>')
    .option(...json)
    .action(async (before, after, options) => (await import('../commands/scl.ts')).sclDiff(before, after, options));

  scl
    .command('extract')
    .description('one IED out of a station: its CID, with those it has inputs from')
    .argument('<file>')
    .requiredOption('--ied <name>', 'which one')
    .option('--out <file>', 'where it goes; default: stdout')
    .action(async (file, options) => (await import('../commands/scl.ts')).sclExtract(file, options));

  const mms = program.command('mms').description('tools for IEC 61850 devices (MMS)');
  const device: [string, string] = ['<host:port>', 'the device; port 102 (3782 with TLS) when left out'];
  const secured = (command: Command): Command =>
    command
      .argument(...device)
      .option('--tls-ca <file>', 'PEM of the CA: speak TLS (IEC 62351-3)')
      .option('--tls-cert <file>', 'PEM certificate of this side')
      .option('--tls-key <file>', 'PEM private key of this side')
      .option('--tls-server-name <name>', 'name that the certificate of the device must carry')
      .option(...json);
  const fc: [string, string, string] = ['--fc <constraint>', 'functional constraint: ST, MX, CF, SP, DC …', 'ST'];

  secured(mms.command('browse'))
    .description('devices, data objects and data sets')
    .option('--device <name>', 'only this logical device')
    .option('--values', 'every attribute with its value')
    .action(async (at, options) => (await import('../commands/mms.ts')).browse(at, options));
  secured(mms.command('read'))
    .description('a data object or attribute, one line an attribute: BCU1CTRL/MMXU1.TotW')
    .argument('<reference>')
    .option(...fc)
    .action(async (at, reference, options) => (await import('../commands/mms.ts')).read(at, reference, options));
  secured(mms.command('write'))
    .description('one attribute of the configuration')
    .argument('<reference>')
    .argument('<value>')
    .option(...fc)
    .action(async (at, reference, value, options) =>
      (await import('../commands/mms.ts')).write(at, reference, value, options),
    );
  secured(mms.command('control'))
    .description('operate a controllable object as its control model wants it; never repeated')
    .argument('<reference>', 'BCU1CTRL/QA1CSWI1.Pos')
    .argument('<value>', 'on or off, a number')
    .option('--test', 'as a test: nothing moves')
    .option('--no-interlock-check', 'without the check of interlocking')
    .option('--no-synchro-check', 'without the check of synchronism')
    .action(async (at, reference, value, options) =>
      (await import('../commands/mms.ts')).control(at, reference, value, options),
    );
  secured(mms.command('report'))
    .description('enable a report control block and print what it reports')
    .argument('<reference>', 'BCU1CTRL/LLN0.BR.brcb01 or BCU1CTRL/LLN0.RP.urcb01')
    .option('--data-set <reference>', 'another data set than its own')
    .option('--period <seconds>', 'integrity period')
    .option('--count <n>', 'stop after n values')
    .option('--for <seconds>', 'stop after this time')
    .action(async (at, reference, options) => (await import('../commands/mms.ts')).report(at, reference, options));
  secured(mms.command('files'))
    .description('list files, fetch, bring or delete one: COMTRADE records, logs')
    .argument('[name]', 'a file, or a folder with a slash at its end')
    .option('--output <path>', 'where to put it; never over a file that is there')
    .option('--recursive', 'with what is in the folders below')
    .option('--records', 'fault records (COMTRADE) instead of files; with a name, all files of that one')
    .option('--put <path>', 'bring this file to the device; never over one that is there')
    .option('--delete', 'delete the file on the device')
    .action(async (at, name, options) => (await import('../commands/mms-files.ts')).files(at, name, options));
  secured(mms.command('groups'))
    .description('setting groups: which is in effect; put another into effect, edit one')
    .argument('[device]', 'logical device: BCU1PROT')
    .option('--activate <n>', 'put this group into effect')
    .option('--edit <n>', 'change values of this group, all or none')
    .option('--set <reference=value...>', 'values for --edit: PTOC1.StrVal.setMag.f=250')
    .action(async (at, device, options) => (await import('../commands/mms-services.ts')).groups(at, device, options));
  secured(mms.command('log'))
    .description('logs of a device, or the entries of one')
    .argument('[reference]', 'BCU1CTRL/LLN0.EventLog')
    .option('--from <time>', 'entries from this time on, ISO 8601')
    .option('--to <time>', 'entries up to this time')
    .option('--count <n>', 'this many entries at most')
    .action(async (at, reference, options) =>
      (await import('../commands/mms-services.ts')).log(at, reference, options),
    );
  secured(mms.command('substitute'))
    .description('put in a value for the one of the process; without a value, say what is')
    .argument('<reference>', 'BCU1CTRL/QA1XCBR1.Pos')
    .argument('[value]', 'on or off, a number')
    .option('--by <name>', 'who it is, kept by the device')
    .option('--end', 'the value of the process is back')
    .action(async (at, reference, value, options) =>
      (await import('../commands/mms-services.ts')).substitute(at, reference, value, options),
    );

  const goose = program.command('goose').description('what is said on the process bus (GOOSE)');
  const place: [string, string] = [
    '<interface|file|->',
    'an interface of Linux, a capture (pcap, pcapng), - for a capture on standard input, fd:3 for an inherited packet socket',
  ];
  const linked = (command: Command): Command =>
    command
      .argument(...place)
      .option('--namespace <name>', 'network namespace of the interface')
      .option('--for <seconds>', 'stop after this time')
      .option(...json);

  linked(goose.command('listen'))
    .description('control blocks, their values as they change, and whatever is not as it should be')
    .option('--scd <file>', 'SCL file: names of the values, what to expect, control blocks that are silent')
    .option('--ied <name...>', 'only control blocks of these IEDs')
    .option('--count <n>', 'stop after n states')
    .option('--simulation', 'take simulated messages in place of real ones (LPHD.Sim)')
    .option('--tcpdump', 'capture by tcpdump, which has rights of its own')
    .option('--paced', 'play a capture with its pauses')
    .option('--save <file>', 'write what is heard into a new capture')
    .action(async (where, options) => (await import('../commands/goose.ts')).gooseListen(where, options));
  linked(goose.command('publish'))
    .description('publish one control block as its SCL file describes it; simulated unless --real')
    .requiredOption('--scd <file>', 'SCL file that describes it')
    .requiredOption('--cb <reference>', 'BCU1CTRL/LLN0$GO$gcb01')
    .option('--set <reference=value...>', 'values to begin with: BCU1CTRL/QA1XCBR1.Pos.stVal=on')
    .option('--count <n>', 'stop after n messages')
    .option('--interactive', 'every line of standard input, reference=value, is a change')
    .option('--real', 'as the device itself, not as a test set: whoever subscribes acts on it')
    .option('--source <address>', 'MAC address to send from; default: that of the interface')
    .action(async (where, options) => (await import('../commands/goose.ts')).goosePublish(where, options));

  const sv = program.command('sv').description('sampled values on the process bus');
  linked(sv.command('listen'))
    .description('streams, their values now and then, and whatever is not as it should be')
    .option('--scd <file>', 'SCL file: names of the values, what to expect, streams that are silent')
    .option('--ied <name...>', 'only streams of these IEDs')
    .option('--every <milliseconds>', 'from one sample that is printed to the next', '1000')
    .option('--simulation', 'take simulated samples in place of real ones (LPHD.Sim)')
    .option('--tcpdump', 'capture by tcpdump, which has rights of its own')
    .option('--paced', 'play a capture with its pauses')
    .action(async (where, options) => (await import('../commands/sv.ts')).svListen(where, options));
}
