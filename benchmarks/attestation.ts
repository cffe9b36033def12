/**
 * Appraisals in one thread: evidence of many nodes checked against reference values, with a signed result for each. Software
 * and TPM tier (keys of the TPMs in software: a verifier sees no difference); steady, when nothing has changed since the last
 * time, and whole, when the verifier sees a node for the first time and gets its list of measurements.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/attestation.ts [--nodes 200] [--components 1300] [--seconds 2]
 *
 * Rates are per second of processor time of this process (all of its threads), since other work on the machine takes turns;
 * `wall` is what the clock on the wall said. Beside them what bounds any such verifier: one ECDSA P-256 verification and one signature by OpenSSL in the same run.
 * keylime's check of a quote is measured in `tpm.ts`. Prints JSON and writes it to benchmarks/results/attestation.json.
 */
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Attester,
  DEVELOPMENT_POLICY,
  isGood,
  MeasurementList,
  type Measurements,
  openSoftwareAttester,
  PRODUCTION_POLICY,
  type QuotingTpm,
  ReferenceValues,
  sha256,
  signManifest,
  TpmAttester,
  TpmList,
  Verifier,
} from '@enerchain/attestation';
import { systemClock } from '@enerchain/model';
import { certificateFromPem } from '@enerchain/pki';
import {
  attestationKey,
  encodeAttest,
  encodeSignature,
  extendPcr,
  fromKeyObject,
  initialPcr,
  type PcrBank,
  pcrDigest,
  TpmKey,
} from '@enerchain/tpm2';
import { DevelopmentCa, type Identity, obtainIdentity } from '@enerchain/trust';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '200' },
    components: { type: 'string', default: '1300' },
    seconds: { type: 'string', default: '2' },
  },
});
const NODES = Number(values.nodes);
const SECONDS = Number(values.seconds);
const SOFTWARE = Array.from({ length: Number(values.components) }, (_, i) => {
  const name = `platform/part-${i % 20}/src/file-${i}.ts`;
  return { name, digest: sha256(Buffer.from(name)) };
});
const BOOT = [0, 1, 2, 3, 4, 5, 6, 7];
const dir = mkdtempSync(join(tmpdir(), 'bench-attestation-'));

/** What of a TPM a quote needs, with its key in software. */
function softTpm() {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const area = fromKeyObject(publicKey, {
    attributes: attestationKey().attributes,
    scheme: { scheme: 'ecdsa', hash: 'sha256' },
  });
  const pcrs = new Map(Array.from({ length: 24 }, (_, pcr) => [pcr, initialPcr('sha256', pcr)]));
  let clock = 0n;
  const pcrRead: QuotingTpm['pcrRead'] = async ([selection]) => {
    const read = new Map((selection?.pcrs ?? []).map((pcr) => [pcr, pcrs.get(pcr) as Uint8Array]));
    return [{ hash: 'sha256', values: read }] satisfies PcrBank[];
  };
  const tpm: QuotingTpm = {
    description: 'software',
    pcrRead,
    pcrExtend: async (pcr, digests) => {
      pcrs.set(pcr, extendPcr('sha256', pcrs.get(pcr) as Uint8Array, digests.get('sha256') as Uint8Array));
    },
    quote: async (_key, extraData, selection) => {
      const banks = await pcrRead(selection);
      clock += 10n;
      const attest = encodeAttest({
        qualifiedSigner: new Uint8Array(34),
        extraData,
        clockInfo: { clock, resetCount: 1, restartCount: 0, safe: true },
        firmwareVersion: 1n,
        attested: { type: 'quote', pcrs: [...selection], pcrDigest: pcrDigest('sha256', banks) },
      });
      const pair = sign('sha256', attest, { key, dsaEncoding: 'ieee-p1363' });
      const signature = { scheme: 'ecdsa', hash: 'sha256', r: pair.subarray(0, 32), s: pair.subarray(32) } as const;
      return { attest, signature: encodeSignature(signature), pcrs: banks };
    },
  };
  return {
    tpm,
    publicKey,
    ak: new TpmKey(area, new Uint8Array(0)),
    registers: BOOT.map((pcr) => ({ pcr, digest: pcrs.get(pcr) as Uint8Array })),
  };
}

const ca = await DevelopmentCa.open(join(dir, 'ca'));
const obtain = (name: string, role: 'edge' | 'centre'): Promise<Identity> =>
  obtainIdentity(join(dir, 'ids', name), { name, role }, async (request) => ({
    certificate: await ca.issue(request, { name, role }),
    ca: ca.certificatePem,
  }));
const centre = await obtain('centre', 'centre');
const references = new ReferenceValues();
const now = systemClock.now();
references.add(
  await signManifest(
    {
      ...{ id: 'benchmark', version: 1, signer: 'benchmark', components: SOFTWARE, registers: softTpm().registers },
      ...{ notBefore: now - 3_600_000_000_000n, notAfter: now + 86_400_000_000_000n },
    },
    centre.signer,
    centre.kid,
  ),
);

async function software(name: string): Promise<Attester> {
  const identity = await obtain(name, 'edge');
  const list = new MeasurementList(randomBytes(16).toString('hex'));
  list.append({ kind: 'start', at: now, components: SOFTWARE });
  return openSoftwareAttester({
    identity: () => identity,
    secretFile: join(dir, 'uds', name),
    measurements: { list, rescan: async () => undefined, onChange: () => () => undefined },
  });
}

async function withTpm(name: string): Promise<Attester> {
  const identity = await obtain(name, 'edge');
  const { tpm, publicKey, ak } = softTpm();
  const pem = await ca.issueAttestation(publicKey, { name, role: 'edge', assurance: ['tpm'] });
  const list = await TpmList.open({ tpm, dir: join(dir, 'tpm', name), onTrouble: (error) => console.error(error) });
  list.list.append({ kind: 'start', at: now, components: SOFTWARE });
  await list.settled();
  const measurements: Measurements = {
    list: list.list,
    rescan: async () => undefined,
    onChange: () => () => undefined,
  };
  const certificate = certificateFromPem(pem).der;
  return new TpmAttester({
    identity: () => identity,
    tpm,
    ak,
    list,
    measurements,
    akCertificate: () => certificate,
    logs: {},
  });
}

interface Rate {
  readonly perCpuSecond: number;
  readonly wall: number;
}

/** Counts what is done in the time between `begin` and `end`. */
class Meter {
  #count = 0;
  #cpu = 0;
  #wall = 0;
  #begun = { cpu: process.cpuUsage(), wall: 0 };

  begin(): void {
    this.#begun = { cpu: process.cpuUsage(), wall: performance.now() };
  }

  end(count: number): void {
    const { user, system } = process.cpuUsage(this.#begun.cpu);
    this.#cpu += (user + system) / 1e6;
    this.#wall += (performance.now() - this.#begun.wall) / 1000;
    this.#count += count;
  }

  get seconds(): number {
    return this.#wall;
  }

  get rate(): Rate {
    return { perCpuSecond: Math.round(this.#count / this.#cpu), wall: Math.round(this.#count / this.#wall) };
  }
}

interface Measured {
  /** Appraisals, signed result included. */
  readonly steady: Rate;
  readonly whole: Rate;
  /** Octets of evidence. */
  readonly steadyBytes: number;
  readonly wholeBytes: number;
}

async function measure(attesters: readonly Attester[], policy: typeof PRODUCTION_POLICY): Promise<Measured> {
  const newVerifier = () =>
    new Verifier({
      name: 'centre',
      signer: centre.signer,
      kid: () => centre.kid,
      clock: systemClock,
      policy: () => policy,
      references,
      caPem: ca.certificatePem,
    });
  const verifier = newVerifier();
  const binding = randomBytes(32);
  const whole = await Promise.all(attesters.map((attester) => attester.evidence([binding])));
  const appraise = async (by: Verifier, evidence: Uint8Array, node: string) => {
    const { result } = await by.appraise(evidence, { node, binding });
    if (!isGood(result)) throw new Error(`${node}: ${result.reasons.join('; ')}`);
  };
  for (const [i, { node }] of attesters.entries()) await appraise(verifier, whole[i] as Uint8Array, node);
  const steady = await Promise.all(attesters.map((each) => each.evidence([binding], verifier.cursor(each.node))));

  // Quotes of one TPM must come in order, so each round of a steady state needs evidence of its own: made outside the time.
  const inSteadyState = new Meter();
  let round = steady;
  while (inSteadyState.seconds < SECONDS) {
    inSteadyState.begin();
    for (const [i, { node }] of attesters.entries()) await appraise(verifier, round[i] as Uint8Array, node);
    inSteadyState.end(attesters.length);
    round = await Promise.all(attesters.map((each) => each.evidence([binding], verifier.cursor(each.node))));
  }
  const forTheFirstTime = new Meter();
  while (forTheFirstTime.seconds < SECONDS) {
    const fresh = newVerifier();
    forTheFirstTime.begin();
    for (const [i, { node }] of attesters.entries()) await appraise(fresh, whole[i] as Uint8Array, node);
    forTheFirstTime.end(attesters.length);
  }
  return {
    steady: inSteadyState.rate,
    whole: forTheFirstTime.rate,
    steadyBytes: steady[0]?.length ?? 0,
    wholeBytes: whole[0]?.length ?? 0,
  };
}

function openssl(): { readonly verify: Rate; readonly sign: Rate } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = randomBytes(500);
  const signature = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const rate = (work: () => unknown) => {
    const meter = new Meter();
    while (meter.seconds < SECONDS / 2) {
      meter.begin();
      for (let i = 0; i < 1000; i++) work();
      meter.end(1000);
    }
    return meter.rate;
  };
  return {
    verify: rate(() => verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)),
    sign: rate(() => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  };
}

try {
  const names = (kind: string) => Array.from({ length: NODES }, (_, i) => `${kind}-${i}`);
  const primitives = openssl();
  const softwareTier = await measure(await Promise.all(names('soft').map(software)), DEVELOPMENT_POLICY);
  const tpmTier = await measure(await Promise.all(names('chip').map(withTpm)), PRODUCTION_POLICY);
  const report = {
    at: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    load: loadavg().map((each) => Number(each.toFixed(1))),
    nodes: NODES,
    components: SOFTWARE.length,
    openssl: primitives,
    appraisals: { software: softwareTier, tpm: tpmTier },
  };
  console.log(JSON.stringify(report, undefined, 2));
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  writeFileSync(join(import.meta.dirname, 'results', 'attestation.json'), `${JSON.stringify(report, undefined, 2)}\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
