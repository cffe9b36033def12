/**
 * TPM 2.0 side by side: quotes from one swtpm, ours and tpm2_quote’s; quotes checked, ours, keylime’s and tpm2_checkquote’s;
 * PCR extends; event logs and IMA lists replayed. Everything in turns in one run, so that what else the machine does meets all
 * alike. Needs swtpm; peers that are not here are left out with the reason.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/tpm.ts [--seconds 1] [--runs 5]
 *
 * What is compared: one P-256 attestation key, ECDSA with SHA-256, nine SHA-256 PCRs. Checked is always signature, nonce and PCR
 * digest; `verifyQuote` checks type, exact selection, clock and the attributes of the key as well. `tpm2_*` are processes, one for
 * each quote, as scripts use them. keylime’s `checkquote` (Apache-2.0, from PyPI) runs in a loop in one Python process and takes
 * the key as PEM each time; `coldKey` is ours with the key read anew each time, `warmKey` with the key kept.
 * Prints JSON and writes it to benchmarks/results/tpm.json.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { bootEvents, findSwtpm, LAB_BOOT } from '@enerchain/lab';
import {
  digest,
  encodeSizedPublic,
  HASHES,
  openAttestationKey,
  openIdentityKey,
  type PcrBank,
  parseEventLog,
  parseImaBinary,
  parseSizedPublic,
  type Quoted,
  replayEventLog,
  replayIma,
  TpmClient,
  type TpmKey,
  TpmSigner,
  templateData,
  verifyQuote,
  writeEventLog,
} from '@enerchain/tpm2';
import { EkAuthority } from '../apps/lab/src/tpm/ek-authority.ts';
import { SwtpmProcess } from '../apps/lab/src/tpm/swtpm-process.ts';

const HERE = import.meta.dirname;
const PEERS = join(HERE, '.peers');
const KEYLIME = '7.14.3';
/** What keylime’s check of quotes imports, and no more. */
const KEYLIME_NEEDS = [
  'cryptography',
  'jsonschema',
  'lark',
  'pyyaml',
  'requests',
  'sqlalchemy',
  'tornado',
  'pyasn1',
  'pyasn1_modules',
];
const SELECTION = [{ hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 10] }] as const;
const QUOTES = 256;
const HANDLE = 0x81000040;

const { values } = parseArgs({ options: { seconds: { type: 'string' }, runs: { type: 'string' } } });
const seconds = Number(values.seconds ?? 1);
const runs = Number(values.runs ?? 5);
const run = promisify(execFile);

interface Rate {
  readonly count: number;
  readonly seconds: number;
  readonly cpuSeconds?: number;
}

/** How often in `seconds`. */
async function repeat(task: (i: number) => unknown): Promise<Rate> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  let count = 0;
  let spent = 0;
  do {
    const result = task(count++);
    if (result instanceof Promise) await result;
    spent = performance.now() - begin;
  } while (spent < seconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  return { count, seconds: spent / 1000, cpuSeconds: (user + system) / 1e6 };
}

/** TPML_PCR_SELECTION and TPML_DIGESTs as they lie in the memory of tpm2-tools: what `-o` writes and keylime reads. */
function toolsPcrs([bank]: readonly PcrBank[]): Uint8Array {
  const values = [...bank!.values.values()];
  const lists = Math.ceil(values.length / 8);
  const bytes = Buffer.alloc(4 + 16 * 8 + 4 + lists * (4 + 8 * 66));
  bytes.writeUInt32LE(1, 0);
  bytes.writeUInt16LE(0x000b, 4);
  bytes.writeUInt8(3, 6);
  for (const pcr of bank!.values.keys()) bytes[7 + (pcr >> 3)]! |= 1 << (pcr & 7);
  bytes.writeUInt32LE(lists, 132);
  for (let list = 0; list < lists; list++) {
    const at = 136 + list * (4 + 8 * 66);
    const part = values.slice(8 * list, 8 * list + 8);
    bytes.writeUInt32LE(part.length, at);
    part.forEach((value, i) => {
      bytes.writeUInt16LE(value.length, at + 4 + 66 * i);
      bytes.set(value, at + 6 + 66 * i);
    });
  }
  return bytes;
}

/** The interpreter of keylime’s environment, or why there is none. */
function keylime(): { readonly python: string } | { readonly missing: string } {
  const folder = join(PEERS, 'keylime');
  const python = join(folder, 'bin', 'python');
  const works = () =>
    spawnSync(python, ['-c', 'from keylime.tpm.tpm_util import checkquote'], { stdio: 'ignore' }).status === 0;
  if (works()) return { python };
  try {
    mkdirSync(PEERS, { recursive: true });
    const pip = (...args: string[]) =>
      execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...args], {
        stdio: 'pipe',
        timeout: 540_000,
      });
    if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', folder], { stdio: 'pipe' });
    pip('--only-binary', ':all:', ...KEYLIME_NEEDS);
    pip('--no-deps', `keylime==${KEYLIME}`);
  } catch (error) {
    return { missing: `keylime ${KEYLIME} could not be installed: ${(error as Error).message.split('\n')[0]}` };
  }
  return works() ? { python } : { missing: `keylime ${KEYLIME} is installed but cannot be loaded` };
}

function imaList(entries: number): Uint8Array {
  const le = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const parts: Uint8Array[] = [];
  for (let i = 0; i < entries; i++) {
    const file = Buffer.concat([Buffer.from('sha256:\0'), digest('sha256', le(i))]);
    const data = templateData([file, Buffer.from(`/usr/lib/x86_64-linux-gnu/library-${i}.so\0`)]);
    parts.push(le(10), digest('sha1', data), le(6), Buffer.from('ima-ng'), le(data.length), data);
  }
  return Buffer.concat(parts);
}

const swtpm = await findSwtpm();
if (!swtpm.installed) throw new Error(`nothing can be measured: ${swtpm.reason}`);
const tools = spawnSync('tpm2_quote', ['--version'], { encoding: 'utf8' });
const toolsVersion = /version="([\d.]+)"/.exec(tools.stdout ?? '')?.[1];
const peer = keylime();
const loadBefore = loadavg()[0];

const folder = mkdtempSync(join(tmpdir(), 'tpm-bench-'));
const state = join(folder, 'state');
const socket = join(folder, 's');
const tpm = new SwtpmProcess(state, socket, (reason) => {
  console.error(reason);
  process.exit(1);
});
const measured = new Map<string, Rate[]>();
const note = (name: string, rate: Rate) => measured.set(name, [...(measured.get(name) ?? []), rate]);

/** Runs a tool against the TPM; nobody else is connected then. */
const tool = (name: string, ...args: string[]) =>
  run(`tpm2_${name}`, args, { cwd: folder, env: { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${socket}` } });

async function record(client: TpmClient, ak: TpmKey): Promise<{ nonce: Uint8Array; quoted: Quoted }[]> {
  const recorded: { nonce: Uint8Array; quoted: Quoted }[] = [];
  for (let i = 0; i < QUOTES; i++) {
    const nonce = randomBytes(32);
    recorded.push({ nonce, quoted: await client.quote(ak, nonce, SELECTION) });
  }
  return recorded;
}

try {
  await new EkAuthority(join(folder, 'ca')).manufacture(state);
  await tpm.start();
  let client = new TpmClient({ path: socket });
  for (const pcr of SELECTION[0].pcrs) {
    const by = digest('sha256', Buffer.of(pcr));
    await client.pcrExtend(pcr, new Map([['sha256', by]]));
  }
  const ak = await openAttestationKey(client, { persistentHandle: HANDLE });
  const recorded = await record(client, ak);
  await client.close();
  const akBytes = encodeSizedPublic(ak.public);
  const pem = ak.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const [first] = recorded;
  const file = (name: string, contents: Uint8Array | string) => {
    writeFileSync(join(folder, name), contents);
    return name;
  };
  const checkArgs = [
    ...[
      '-u',
      file('ak.pem', pem),
      '-m',
      file('quote', first!.quoted.attest),
      '-s',
      file('signature', first!.quoted.signature),
    ],
    ...[
      '-f',
      file('pcrs', toolsPcrs(first!.quoted.pcrs)),
      '-g',
      'sha256',
      '-q',
      Buffer.from(first!.nonce).toString('hex'),
    ],
  ];
  const log = writeEventLog(['sha256'], bootEvents(LAB_BOOT));
  const events = parseEventLog(log).events.length;
  const ima = imaList(10_000);
  const check = (i: number, akPublic = ak.public) => {
    const { nonce, quoted } = recorded[i % QUOTES]!;
    if (!verifyQuote({ ...quoted, akPublic, qualifyingData: nonce }).ok) throw new Error('a quote does not hold');
  };
  for (let i = 0; i < 2000; i++) check(i);

  for (let turn = 0; turn < runs; turn++) {
    client = new TpmClient({ path: socket });
    const key = (await client.persistentKey(HANDLE))!;
    const transient = await openAttestationKey(client);
    const signer = new TpmSigner(client, await openIdentityKey(client));
    const nonce = randomBytes(32);
    note('quote', await repeat(() => client.quoteOnly(transient, nonce, SELECTION)));
    note('quoteWithValues', await repeat(() => client.quote(transient, nonce, SELECTION)));
    note('quotePersistentKey', await repeat(() => client.quoteOnly(key, nonce, SELECTION)));
    note('extend', await repeat(() => client.pcrExtend(16, new Map([['sha256', nonce]]))));
    note('read', await repeat(() => client.pcrRead([{ hash: 'sha256', pcrs: [0] }])));
    note('sign', await repeat(() => signer.sign(nonce)));
    await client.close();
    if (toolsVersion !== undefined) {
      const at = `0x${HANDLE.toString(16)}`;
      note(
        'quoteTools',
        await repeat(() =>
          tool(
            'quote',
            '-Q',
            '-c',
            at,
            '-l',
            `sha256:${SELECTION[0].pcrs.join(',')}`,
            '-g',
            'sha256',
            '-q',
            '00',
            '-m',
            'm',
            '-s',
            'g',
            '-o',
            'p',
          ),
        ),
      );
    }
    note('verifyWarm', await repeat(check));
    note('verifyCold', await repeat((i) => check(i, parseSizedPublic(akBytes))));
    if (toolsVersion !== undefined) note('verifyTools', await repeat(() => tool('checkquote', '-Q', ...checkArgs)));
    if ('python' in peer) {
      const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
      const input = JSON.stringify({
        seconds,
        ak: pem,
        quotes: recorded.map(({ nonce: n, quoted }) => ({
          nonce: hex(n),
          attest: hex(quoted.attest),
          signature: hex(quoted.signature),
          pcrs: hex(toolsPcrs(quoted.pcrs)),
        })),
      });
      const output = execFileSync(peer.python, [join(HERE, 'peers', 'keylime', 'checkquote.py')], {
        input,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'ignore'],
        maxBuffer: 1 << 24,
      });
      note('verifyKeylime', JSON.parse(output.slice(output.lastIndexOf('{'))) as Rate);
    }
    const logs = await repeat(() => replayEventLog(parseEventLog(log)));
    note('eventLog', { ...logs, count: logs.count * events });
    const lists = await repeat(() => replayIma(parseImaBinary(ima)));
    note('ima', { ...lists, count: lists.count * 10_000 });
  }
} finally {
  await tpm.stop();
  rmSync(folder, { recursive: true, force: true });
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const perSecond = (name: string) => Math.round(median(measured.get(name)!.map(({ count, seconds: s }) => count / s)));
const perCpuSecond = (name: string) =>
  Math.round(median(measured.get(name)!.map(({ count, cpuSeconds }) => count / cpuSeconds!)));
const ratio = (ours: number, theirs: number) => Number((ours / theirs).toPrecision(3));
const withTools = toolsVersion !== undefined;

const verify = { warmKey: perSecond('verifyWarm'), coldKey: perSecond('verifyCold') };
const result = {
  what: `P-256 attestation key, ${SELECTION[0].pcrs.length} SHA-256 PCRs (${HASHES.sha256.size} octets each), one swtpm on a Unix socket`,
  measured: new Date().toISOString(),
  machine: {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    load: { before: loadBefore, after: loadavg()[0] },
  },
  runs,
  secondsEach: seconds,
  swtpm: swtpm.version,
  quotesPerSecond: {
    ours: perSecond('quote'),
    oursWithPcrValues: perSecond('quoteWithValues'),
    oursPersistentKey: perSecond('quotePersistentKey'),
    ...(withTools
      ? {
          [`tpm2_quote ${toolsVersion} (a process each)`]: perSecond('quoteTools'),
          ratio: ratio(perSecond('quotePersistentKey'), perSecond('quoteTools')),
        }
      : { tpm2Tools: 'not measured: tpm2-tools are not installed' }),
  },
  checkedPerSecond: {
    ours: verify,
    ...('python' in peer
      ? {
          [`keylime ${KEYLIME} checkquote (one process)`]: perSecond('verifyKeylime'),
          ratioWarmKey: ratio(verify.warmKey, perSecond('verifyKeylime')),
          ratioColdKey: ratio(verify.coldKey, perSecond('verifyKeylime')),
        }
      : { keylime: `not measured: ${peer.missing}` }),
    ...(withTools ? { [`tpm2_checkquote ${toolsVersion} (a process each)`]: perSecond('verifyTools') } : {}),
  },
  checkedPerCpuSecond: {
    ours: { warmKey: perCpuSecond('verifyWarm'), coldKey: perCpuSecond('verifyCold') },
    ...('python' in peer ? { keylime: perCpuSecond('verifyKeylime') } : {}),
  },
  perSecond: {
    pcrExtend: perSecond('extend'),
    pcrRead: perSecond('read'),
    sign: perSecond('sign'),
    eventLogEntriesReplayed: perSecond('eventLog'),
    imaEntriesReplayed: perSecond('ima'),
  },
};
const text = `${JSON.stringify(result, undefined, 2)}\n`;
process.stdout.write(text);
mkdirSync(join(HERE, 'results'), { recursive: true });
writeFileSync(join(HERE, 'results', 'tpm.json'), text);
