/**
 * `enerchain`: the one command. Each subcommand is a file in `commands/`, loaded only when it is asked for, so that a
 * field tool starts quickly and a missing optional part disturbs nobody else.
 */
import './measured.ts';
import type { Command as AnyCommand } from 'commander';

// Everything else is loaded from here on, so that all of it is measured.
const { Command } = await import('commander');
const { describeError, EnerchainError } = await import('@enerchain/model');
const { defaultDataFolder } = await import('./data-folder.ts');

const program = new Command('enerchain')
  .description('Connects grid devices to the control centre over a chain of trust anyone can check')
  .version('0.1.0')
  .showHelpAfterError('(enerchain --help lists the commands)')
  .enablePositionalOptions();

/** What speaks TLS with others for as long as it runs. */
const LASTING = ['up', 'centre', 'edge', 'grid-state'];
program.hook('preAction', async (_program, command) => {
  if (LASTING.includes(command.name())) await (await import('./runtime.ts')).checkRuntimeOnce();
});

const data: [string, string, string] = [
  '--data <folder>',
  'where the system keeps what it must not forget',
  defaultDataFolder(),
];
const json: [string, string] = ['--json', 'print JSON Lines on stdout'];

program
  .command('up')
  .description('the whole system on this machine: lab grid, gateways, centre and control room')
  .option(...data)
  .option('--port <port>', 'port of the control room and API', '8080')
  .option('--host <address>', 'address to listen on; anything but loopback needs --tls-cert and --tls-key', '127.0.0.1')
  .option('--tls-cert <file>', 'PEM certificate chain for the control room')
  .option('--tls-key <file>', 'PEM private key for the control room')
  .option('--no-lab', 'without the simulated grid')
  .option('--site <files...>', 'site files of gateways of your own, run beside the lab')
  .option('--no-tpm', 'without TPMs of the lab (swtpm): software attests, the lower tier')
  .option('--seed <number>', 'seed of the simulated grid', '1')
  .option('--speed <factor>', 'simulated time per real time', '1')
  .option('--trust-policy <policy>', 'what a good node is: development, production, or a JSON file', 'development')
  .option(
    '--keys <file>',
    'YAML file: where the keys of the centre lie (identity, log, authority: file, tpm or an HSM); a TPM named there attests it',
  )
  .option(
    '--commanding-service <name...>',
    'services that may prepare and operate commands under their own name; by default none',
  )
  .action(async (options) => (await import('./commands/up.ts')).up(options));

program
  .command('centre')
  .description('the centre: ingest log, historian, alarms, commands, API and control room')
  .option(...data)
  .option('--port <port>', 'port of the control room and API', '8080')
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--link-port <port>', 'port for gateways and services (default: --port + 1)')
  .option('--link-host <address>', 'address for gateways and services (always mutual TLS)', '127.0.0.1')
  .option('--tls-cert <file>', 'PEM certificate chain for the control room')
  .option('--tls-key <file>', 'PEM private key for the control room')
  .option(
    '--keys <file>',
    'YAML file: where the keys of the centre lie (identity, log, authority: file, tpm or an HSM)',
  )
  .option(
    '--commanding-service <name...>',
    'services that may prepare and operate commands under their own name; by default none',
  )
  .option(
    '--relay <relay=sources...>',
    'which sources a relay may stand in for, for example relay-1=edge-nord,edge-sued; by default none',
  )
  .option(
    '--trust-policy <policy>',
    'what a good node is: development, production, or a JSON file; development lets software attest',
    'development',
  )
  .option('--tpm-maker <files...>', 'PEM files: who certifies endorsement keys of TPMs')
  .option('--vouch-site <files...>', 'development: site files of gateways that are vouched for as they are now')
  .option('--vouch-boot <file>', 'development: golden values of PCRs, {"<pcr>": "<SHA-256, hex>"}')
  .option(
    '--crl-url <url>',
    'where others fetch revocation lists, as certificates say; by default <address of the API>/crl',
  )
  .option('--certificate-hours <hours>', 'validity of certificates; they renew themselves at a third of it', '72')
  .action(async (options) => (await import('./commands/centre.ts')).centre(options));

program
  .command('edge')
  .description('a gateway: its devices, outbox and uplink')
  .argument('<site.yaml>', 'connectors, endpoints and bindings')
  .option(...data)
  .option('--centre <url>', 'link address of the centre, wss://host:port', process.env.ENERCHAIN_LINK)
  .option(
    '--token <token>',
    'one-time enrolment token (first start only; or ENERCHAIN_ENROL)',
    process.env.ENERCHAIN_ENROL,
  )
  .option('--key-days <days>', 'days after which the key of this gateway gives way to another one', '365')
  .option('--check', 'check the site file and stop')
  .action(async (site, options) => (await import('./commands/edge.ts')).edge(site, options));

const scl = program.command('scl').description('IEC 61850 SCL files: check them, look into them, compare them');
scl
  .command('check')
  .description('what is wrong with SCL files, with line and rule; status 1 when there are errors')
  .argument('<files...>', 'ICD, CID, IID, SCD or SSD')
  .option(...json)
  .action(async (files, options) => (await import('./commands/scl.ts')).sclCheck(files, options));
scl
  .command('tree')
  .description('IEDs, devices, nodes and data objects of an SCL file')
  .argument('<file>')
  .option('--ied <name>', 'only this IED')
  .option('--attributes', 'attributes with their values, not data objects only')
  .option(...json)
  .action(async (file, options) => (await import('./commands/scl.ts')).sclTree(file, options));
scl
  .command('diff')
  .description('what two SCL files say differently, whatever they look like; status 1 when there is something')
  .argument('<before>')
  .argument('<after>')
  .option(...json)
  .action(async (before, after, options) => (await import('./commands/scl.ts')).sclDiff(before, after, options));

program
  .command('lab')
  .description('the simulated grid; `enerchain lab fault` makes trouble in a running one')
  .argument('[grid]', 'cigre-mv', 'cigre-mv')
  .option(...data)
  .option('--seed <number>', 'same seed, same run', '1')
  .option('--counter-every <ms>', 'how often the ledger counter of each RTU steps', '1000')
  .option('--no-tpm', 'without TPMs, also where swtpm is installed')
  .option('--speed <factor>', 'simulated time per real time', '1')
  .action(async (grid, options) => (await import('./commands/lab.ts')).lab(grid, options))
  .command('fault')
  .description('make a fault: enerchain lab fault <kind> [target] [key=value…]; without a kind, list them')
  .argument('[kind]')
  .argument('[target]', 'the RTU, switch or point concerned')
  .argument('[settings...]', 'key=value')
  .option(...data)
  .action(async (kind, target, settings, options) =>
    (await import('./commands/lab.ts')).fault(kind, target, settings, options),
  );

program
  .command('grid-state')
  .description('the grid-state service: topology and power flow from live values')
  .option(...data)
  .option('--centre <url>', 'link address of the centre', process.env.ENERCHAIN_LINK)
  .option('--token <token>', 'one-time enrolment token', process.env.ENERCHAIN_ENROL)
  .action(async (options) => (await import('./commands/grid-state.ts')).gridState(options));

program
  .command('import')
  .description('read a grid model (CGMES 3.0 or 2.4.15), say what is wrong with it, and put it in force')
  .argument('<files...>', 'equipment, hypothesis, topology, … and their boundary: XML files, folders, zips')
  .option('--check', 'only read and check; nothing is stored')
  .option(
    '--shacl <files...>',
    'check SHACL shapes too: Turtle files or folders of them; takes minutes for large models',
  )
  .option('--points <file>', 'write the measurements and controls (OP) as a point list, to which addresses are added')
  .option('--partial', 'store the grid without the equipment that cannot be taken over')
  .option('--name <name>', 'name of the grid; default: the authority of the equipment file')
  .option('--frequency <hz>', 'nominal frequency, which CIM does not say', '50')
  .option('--limit <n>', 'findings told of each kind', '10')
  .option(...data)
  .option(...json)
  .action(async (files, options) => (await import('./commands/import.ts')).importModel(files, options));

program
  .command('link')
  .description('propose where in the grid the points belong that do not say it, and ask; nothing is linked silently')
  .option('--scl <files...>', 'SCL files: LNode links and IEC 61850-80-1 addresses')
  .option('--min <confidence>', 'only proposals of at least this confidence, 0 to 1', '0.25')
  .option('--out <file>', 'write the proposals for review instead of asking')
  .option('--apply <file>', 'store what was accepted in a reviewed file')
  .option('--no-ask', 'only show them')
  .option(...data)
  .option(...json)
  .action(async (options) => (await import('./commands/link.ts')).link(options));

const model = program.command('model').description('grid models: compare them, write them');
model
  .command('diff')
  .description('objects and properties that changed between two models, by mRID; exit status 1 when something did')
  .argument('<before>', 'XML or JSON-LD file, folder, zip; or the number of a version of the running system')
  .argument('<after>', 'likewise')
  .option('--spelling', 'tell 1.0 from 1')
  .option('--difference <folder>', 'write difference models there (IEC 61970-552), one for each file that changed')
  .option('--limit <n>', 'objects told of each class', '20')
  .option(...data)
  .option(...json)
  .action(async (before, after, options) => (await import('./commands/model.ts')).diff(before, after, options));
model
  .command('points')
  .description('write the points of the running system as measurements and controls of CIM: Operation profile (OP)')
  .requiredOption('--out <file>', 'where the file goes')
  .option('--authority <uri>', 'modelling authority', 'urn:enerchain:operation')
  .option(...data)
  .action(async (options) => (await import('./commands/model.ts')).exportPoints(options));
model
  .command('versions')
  .description('versions of the grid that the running system keeps: when, by whom, from which files')
  .option('--limit <n>', 'the newest n', '100')
  .option(...data)
  .option(...json)
  .action(async (options) => (await import('./commands/model.ts')).versions(options));
model
  .command('export')
  .description('write a model as it is with its differences applied: CGMES 3.0 or JSON-LD 1.1')
  .argument('<files...>', 'full and difference models: XML or JSON-LD files, folders, zips')
  .option('--format <format>', 'cgmes or jsonld', 'cgmes')
  .requiredOption('--out <folder>', 'where the files go; nothing is written over')
  .action(async (files, options) => (await import('./commands/model.ts')).exportModel(files, options));

program
  .command('estimate')
  .description('state estimation of a grid in files; exit status 0 only when all of it is observable and estimated')
  .argument('<files...>', 'MATPOWER (.m), power-grid-model (JSON), CGMES (XML files, folders, zips) or a grid model')
  .option('--measurements <file>', 'JSON or CSV: of a case under its bus numbers in pu and degrees, else at terminals')
  .option('--simulate <seed>', 'make the measurements up: the power flow with Gaussian noise')
  .option('--save <file>', 'write the measurements made up to a file (.json or .csv)')
  .option('--no-zero-injections', 'do not take for granted that nothing is injected where a case has nothing')
  .option('--hypothesis', 'take steps and sections from SSH although there is a solution (SV)')
  .option('--json', 'print one JSON object: as powerflow, and all with its deviation')
  .action(async (files, options) => (await import('./commands/estimate.ts')).estimate(files, options));

program
  .command('powerflow')
  .description('power flow of a grid in files; exit status 0 only when it converged')
  .argument(
    '<case...>',
    'MATPOWER (.m), power-grid-model (JSON), CGMES (XML files, folders, zips) or a grid model of this platform (JSON)',
  )
  .option('--q-limits', 'hold generators at their reactive limits, where they no longer hold the voltage')
  .option('--taps', 'let tap changers and shunts move that regulate something')
  .option('--hypothesis', 'CGMES: steps and sections as the hypothesis (SSH) has them, not as the solution (SV) has')
  .option('--frequency <hz>', 'CGMES: nominal frequency, which CIM does not say', '50')
  .option('--json', 'print one JSON object: voltages and powers in pu, angles in degrees, the bus numbers of the file')
  .action(async (files, options) => (await import('./commands/powerflow.ts')).powerflow(files, options));

program
  .command('contingencies')
  .description('what each single outage would do to a grid; exit status 0 only when none breaks a limit')
  .argument('<files...>', 'a grid: MATPOWER, power-grid-model (JSON), CGMES (files, folders, zips)')
  .option('--all-ac', 'the full power flow for every outage, not for those alone that an estimate does not clear')
  .option('--outages <kinds>', 'branches,generators,buses: which single outages (default: all)')
  .option(
    '--groups <file>',
    'JSON: [{"name": …, "branches": […], "buses": […], "generators": […]}], each lost together; of CGMES "equipment": [mRIDs or names]',
  )
  .option('--q-limits', 'hold generators at their reactive limits, where they no longer hold the voltage')
  .option('--distributed-slack', 'share what is missing among the generators as their capacities are')
  .option('--limit <number>', 'outages to print, the worst', '20')
  .option('--workers <number>', 'threads; 0 calculates without (default: one per processor where it pays)')
  .option('--json', 'print one JSON object: powers in MW and MVA, voltages in pu, the bus numbers of the file')
  .action(async (files, options) => (await import('./commands/contingencies.ts')).contingencies(files, options));

program
  .command('network-node')
  .description('a node of the Trusted Core Network of the lab: attests its neighbours, carries no values')
  .argument('<file>', 'written by the lab')
  .option(...data)
  .option('--centre <url>', 'link address of the centre', process.env.ENERCHAIN_LINK)
  .option('--token <token>', 'one-time enrolment token', process.env.ENERCHAIN_ENROL)
  .action(async (file, options) => (await import('./commands/network-node.ts')).networkNode(file, options));

program
  .command('enrol-token')
  .description('make a one-time token with which a new gateway or service gets its certificate')
  .argument('<name>', 'name of the gateway or service')
  .option('--role <role>', 'edge, service or network', 'edge')
  .option(...data)
  .action(async (name, options) => (await import('./commands/system.ts')).enrolToken(name, options));

program
  .command('revoke')
  .description('shut out a gateway or service: revoke its certificates and end its connection')
  .argument('<name>', 'name of the gateway or service')
  .option('--reason <text>', 'for the audit', 'revoked on the command line')
  .option('--fingerprint <sha256>', 'this certificate only')
  .option(...data)
  .action(async (name, options) => (await import('./commands/system.ts')).revoke(name, options));

program
  .command('status')
  .description('gateways, services and devices of a running system')
  .option(...data)
  .option(...json)
  .action(async (options) => (await import('./commands/system.ts')).status(options));

program
  .command('values')
  .description('points of a running system with their present values')
  .argument('[filter]', 'part of the name')
  .option(...data)
  .option(...json)
  .action(async (filter, options) => (await import('./commands/system.ts')).values(filter, options));

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
  .action(async (point, options) => (await import('./commands/receipt.ts')).receipt(point, options));

program
  .command('anchor')
  .description('write down what receipts are checked against: authorities, log key, witnesses, policy')
  .requiredOption('--out <file>', 'where the anchor goes')
  .option(...data)
  .action(async (options) => (await import('./commands/receipt.ts')).anchor(options));

program
  .command('verify')
  .description('check a receipt offline; exit status 0 only if every link of its chain holds')
  .argument('<receipt>', 'file of the receipt')
  .requiredOption('--anchor <file>', 'what is believed: from whoever runs the system, by another way than the receipt')
  .option(...json)
  .action(async (file, options) => (await import('./commands/verify.ts')).verify(file, options));

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
  .action(async (options) => (await import('./commands/receipt.ts')).monitor(options));

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
  .action(async (options) => (await import('./commands/attest.ts')).manifest(options));
attest
  .command('show')
  .description('what stands in a manifest, in evidence, or in a result')
  .argument('<file>')
  .option(...json)
  .action(async (file, options) => (await import('./commands/attest.ts')).show(file, options));
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
  .action(async (file, options) => (await import('./commands/attest.ts')).appraise(file, options));
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
  .action(async (target, options) => (await import('./commands/attest-coap.ts')).coap(target, options));

const iec104 = program.command('iec104').description('tools for IEC 60870-5-104 devices');
const address: [string, string] = ['<host:port>', 'the device; port 2404 when left out'];
const widths = (command: AnyCommand): AnyCommand =>
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
  .action(async (at, options) => (await import('./commands/iec104.ts')).listen(at, options));

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
  .action(async (at, options) => (await import('./commands/iec104.ts')).command(at, options));

widths(iec104.command('scan'))
  .description('draft a point list (CSV) from a general interrogation')
  .argument(...address)
  .option('--ca <address>', 'common address; 65535 = all', '65535')
  .option('--settle <seconds>', 'how long to go on listening after the interrogation', '2')
  .option(...json)
  .action(async (at, options) => (await import('./commands/iec104.ts')).scan(at, options));

const mms = program.command('mms').description('tools for IEC 61850 devices (MMS)');
const device: [string, string] = ['<host:port>', 'the device; port 102 (3782 with TLS) when left out'];
const secured = (command: AnyCommand): AnyCommand =>
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
  .action(async (at, options) => (await import('./commands/mms.ts')).browse(at, options));
secured(mms.command('read'))
  .description('a data object or attribute, one line an attribute: BCU1CTRL/MMXU1.TotW')
  .argument('<reference>')
  .option(...fc)
  .action(async (at, reference, options) => (await import('./commands/mms.ts')).read(at, reference, options));
secured(mms.command('write'))
  .description('one attribute of the configuration')
  .argument('<reference>')
  .argument('<value>')
  .option(...fc)
  .action(async (at, reference, value, options) =>
    (await import('./commands/mms.ts')).write(at, reference, value, options),
  );
secured(mms.command('control'))
  .description('operate a controllable object as its control model wants it; never repeated')
  .argument('<reference>', 'BCU1CTRL/QA1CSWI1.Pos')
  .argument('<value>', 'on or off, a number')
  .option('--test', 'as a test: nothing moves')
  .option('--no-interlock-check', 'without the check of interlocking')
  .option('--no-synchro-check', 'without the check of synchronism')
  .action(async (at, reference, value, options) =>
    (await import('./commands/mms.ts')).control(at, reference, value, options),
  );
secured(mms.command('report'))
  .description('enable a report control block and print what it reports')
  .argument('<reference>', 'BCU1CTRL/LLN0.BR.brcb01 or BCU1CTRL/LLN0.RP.urcb01')
  .option('--data-set <reference>', 'another data set than its own')
  .option('--period <seconds>', 'integrity period')
  .option('--count <n>', 'stop after n values')
  .option('--for <seconds>', 'stop after this time')
  .action(async (at, reference, options) => (await import('./commands/mms.ts')).report(at, reference, options));
secured(mms.command('files'))
  .description('list files, or fetch one: COMTRADE records, logs')
  .argument('[name]', 'a file, or a folder with a slash at its end')
  .option('--output <path>', 'where to put it; never over a file that is there')
  .action(async (at, name, options) => (await import('./commands/mms.ts')).files(at, name, options));

// `enerchain values | head` closes the pipe early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await program.parseAsync();
} catch (error) {
  // A sentence for people; the stack only when it is our own fault or was asked for.
  const ours =
    !(error instanceof EnerchainError) && !(error instanceof Error && 'fault' in error && error.fault !== 'local');
  process.stderr.write(`${ours || process.env.ENERCHAIN_DEBUG ? (error as Error).stack : describeError(error)}\n`);
  process.exitCode = 1;
  // Nothing that was half started may keep the process: who supervises it waits for its end.
  if (process.connected) process.disconnect();
  setTimeout(() => process.exit(1), 3_000).unref();
}
