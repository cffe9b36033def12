/**
 * Verification of receipts: offline, with nothing but the receipt and the anchor. Every link of the chain becomes a finding;
 * it never throws. Shared signatures of many receipts are checked once by the same `ReceiptVerifier`.
 */
import type { Tier, ValueTrust } from '@enerchain/attestation';
import { type Column, observationsOfColumn } from '@enerchain/link';
import { describeError, type Point, toIso } from '@enerchain/model';
import { isCosignedBy, isSignedBy, parseCheckpoint, type SignedCheckpoint } from '../log/checkpoint.ts';
import { keyIdOf } from '../log/note.ts';
import { same } from '../tree/hash.ts';
import type { Anchor } from './anchor.ts';
import { judge, type LoggedResult, neighbourFinding, readLogged } from './bracket.ts';
import { type CheckedEntry, checkEntry, type EntryContext } from './entries.ts';
import { BrokenLink, type ChainLink, type Finding, LINKS, type ReceiptValue, type Verdict } from './finding.ts';
import { decodeReceipt, type Receipt } from './format.ts';
import { boundPoint, deviceFinding, inputsOf } from './last-metre.ts';
import { keyOf, Memo } from './memo.ts';
import { type SignerCertificate, Signers } from './signers.ts';

/** What a site document says of a point and its devices. */
interface Device {
  /** Who signed it, and its record. */
  readonly kid: Uint8Array;
  readonly index: number;
  readonly name: string;
  readonly unit: string | undefined;
  /** Of a calculated value: the sources that it is calculated from, as the service says. */
  readonly inputs: readonly string[];
  readonly finding: Finding;
}

/** Verifies receipts of one system. */
export class ReceiptVerifier {
  readonly #anchor: Anchor;
  readonly #certificates: Memo<SignerCertificate>;
  readonly #checkpoints: Memo<SignedCheckpoint>;
  readonly #cosignatures: Memo<boolean>;
  readonly #heads: EntryContext['heads'];
  readonly #devices: Memo<Device>;
  readonly #results: Memo<LoggedResult>;

  /** @param options.remember checks of signatures that are kept for further receipts; 0 for none */
  constructor(anchor: Anchor, { remember = 4096 }: { readonly remember?: number } = {}) {
    this.#anchor = anchor;
    this.#certificates = new Memo(remember);
    this.#checkpoints = new Memo(remember);
    this.#cosignatures = new Memo(remember);
    this.#heads = new Memo(remember);
    this.#devices = new Memo(remember);
    this.#results = new Memo(remember);
  }

  /** @param bytes the receipt as it lies in its file */
  verify(bytes: Uint8Array): Verdict {
    const findings: Finding[] = [];
    let value: ReceiptValue | undefined;
    let trust: ValueTrust = 'unknown';
    let tier: Tier | undefined;
    /** Does one part; a link that does not hold becomes a finding. */
    const step = <T>(link: ChainLink, work: () => T): T | undefined => {
      try {
        return work();
      } catch (error) {
        const finding =
          error instanceof BrokenLink
            ? error.finding
            : ({ link, state: 'bad', code: 'receipt.malformed', text: describeError(error) } as const);
        findings.push(finding);
        return undefined;
      }
    };

    const receipt = step('receipt', () => decodeReceipt(bytes));
    const signers =
      receipt && step('gateway', () => new Signers(receipt.certificates, this.#anchor, this.#certificates));
    const checkpoint = receipt && signers && step('log', () => this.#checkpoint(receipt.note));
    if (receipt && signers && checkpoint) {
      const context: EntryContext = {
        signers,
        tree: checkpoint.checkpoint,
        heads: this.#heads,
      };
      const shown = step('signature', () => checkValue(receipt, context));
      if (shown) {
        const { entry } = shown;
        value = shown.value;
        const { source, receiveTime } = shown.value;
        const { role } = entry.signer.holder;
        findings.push(signatureFinding(entry), logFinding(entry, checkpoint));
        const gateway = step('gateway', () => gatewayFinding(entry, shown.value, signers));
        if (gateway) findings.push(gateway);
        const device = step('device', () => {
          const { name, unit, inputs, finding } = this.#device(receipt.site, entry, shown.value, context);
          value = { ...shown.value, name, ...(unit ? { unit } : {}) };
          return role === 'service' ? calculated(finding, inputs, entry) : finding;
        });
        if (device) findings.push(device);
        const results = step('software', () =>
          receipt.attestation.map((each) => this.#result(each, 'software', context)),
        );
        const judged =
          results && step('software', () => judge(results, { source, role, receiveTime, index: entry.index }, signers));
        if (judged) {
          ({ trust, tier } = judged);
          findings.push(judged.finding);
        }
        const neighbours = step('neighbours', () =>
          neighbourFinding(
            receipt.neighbours.map((each) => this.#result(each, 'neighbours', context)),
            source,
            signers,
          ),
        );
        if (neighbours) findings.push(neighbours);
      }
      const witnesses = step('witnesses', () => this.#witnesses(checkpoint, signers));
      if (witnesses) findings.push(witnesses);
      // When something is broken already, what it would have used is left over.
      if (!findings.some(({ state }) => state === 'bad')) step('receipt', () => signers.allUsed());
    }
    findings.sort((a, b) => LINKS.indexOf(a.link) - LINKS.indexOf(b.link));
    const ok = findings.every(({ state }) => state === 'ok' || state === 'weak') && findings.length > 0;
    // A link that is broken elsewhere takes the trust in the value with it.
    const broken = findings.some(({ state }) => state === 'bad');
    return { ok, value, trust: broken && trust !== 'distrusted' ? 'unknown' : trust, tier, findings };
  }

  #checkpoint(note: string): SignedCheckpoint {
    return this.#checkpoints.get(note, () => {
      const { origin, logKey } = this.#anchor;
      let signed: SignedCheckpoint;
      try {
        signed = parseCheckpoint(note);
      } catch (error) {
        throw new BrokenLink('log', 'receipt.checkpoint', describeError(error));
      }
      if (signed.checkpoint.origin !== origin) {
        const text = `the receipt is of the log ${signed.checkpoint.origin}, the anchor speaks for ${origin}`;
        throw new BrokenLink('log', 'receipt.checkpoint.origin', text);
      }
      if (!isSignedBy(signed, logKey)) {
        throw new BrokenLink('log', 'receipt.checkpoint.signature', 'the checkpoint is not signed by the log’s key');
      }
      return signed;
    });
  }

  /** What the site document in the receipt says of a point; it must be older than the value. */
  #device(
    site: readonly Uint8Array[],
    { index, header }: CheckedEntry,
    { point, receiveTime }: ReceiptValue,
    context: EntryContext,
  ): Device {
    const { tree, signers } = context;
    const key = `${tree.size} ${point} ${header.source} ${keyOf(tree.root, ...site)}`;
    const what = 'the description of the device';
    const device = this.#devices.get(key, () => {
      const columns = site.map((each) => checkEntry(each, what, context));
      const bound = boundPoint(columns, header.source, point);
      const unit = unitOf(bound.point);
      return {
        kid: columns[0]!.kid,
        index: columns[0]!.index,
        name: bound.point.name,
        unit,
        inputs: inputsOf(bound),
        finding: deviceFinding(bound, header.source),
      };
    });
    // What is remembered may come from another receipt: this one must have the certificate as well.
    const signer = signers.byKid(device.kid, 'device', what);
    signers.validBefore(signer, receiveTime, 'device', what);
    if (device.index >= index)
      throw new BrokenLink('device', 'receipt.site', `${what} came into the log behind the value`);
    return device;
  }

  #result(bytes: Uint8Array, link: ChainLink, context: EntryContext): LoggedResult {
    const { tree, signers } = context;
    const what = 'a result of attestation';
    const known = this.#results.get(`${tree.size} ${keyOf(tree.root, bytes)}`, () =>
      readLogged(checkEntry(bytes, what, context), signers, link),
    );
    for (const { kid } of [known.verifier, known.loggedBy]) signers.byKid(kid, link, what);
    return known;
  }

  #witnesses({ text, cosignatures }: SignedCheckpoint, signers: Signers): Finding {
    const link = 'witnesses' as const;
    const { witnesses, quorum } = this.#anchor;
    const good: string[] = [];
    const others: string[] = [];
    for (const cosignature of cosignatures) {
      const { witness, time, keyId, signature } = cosignature;
      const named = witnesses.get(witness);
      // A witness that has changed its key since the anchor was made is known by its certificate, and does not count.
      const anchored = named && same(keyIdOf(named), keyId) ? named : undefined;
      const signer = signers.byKeyId(witness, keyId);
      if (!anchored && signer) signers.validAt(signer, time, link, `the cosignature of ${witness}`);
      const key = anchored ?? signer?.certificate.publicKey;
      const memo = `${witness} ${time} ${text} ${keyOf(keyId, signature)}`;
      // Without a certificate among the anchor's the key is the receipt's own: not worth remembering.
      const holds =
        key !== undefined &&
        (anchored
          ? this.#cosignatures.get(memo, () => isCosignedBy(cosignature, text, anchored))
          : isCosignedBy(cosignature, text, key));
      if (!holds) {
        throw new BrokenLink(link, 'receipt.cosignature', `the cosignature of ${witness} does not fit its key`);
      }
      (anchored ? good : others).push(witness);
    }
    const at = cosignatures.map(({ time }) => time).sort((a, b) => (a < b ? -1 : 1))[0];
    const details = { witnesses: good.join(', '), quorum, ...(others.length > 0 ? { others: others.join(', ') } : {}) };
    const more = others.length > 0 ? ` Others, whom the anchor does not name: ${others.join(', ')}.` : '';
    const found = (state: Finding['state'], code: string, said: string): Finding => {
      return { link, state, code, text: said + more, details, ...(at === undefined ? {} : { at }) };
    };
    if (good.length < quorum) {
      const who = good.length > 0 ? `only ${good.join(', ')}` : 'nobody';
      return found(
        'missing',
        'witnesses.quorum',
        `The anchor asks for ${quorum} witnesses; ${who} cosigned the checkpoint.`,
      );
    }
    if (quorum === 0 && good.length === 0) {
      return found(
        'weak',
        'witnesses.none',
        'The anchor asks for no witness: the centre could show another log to somebody else.',
      );
    }
    const first = at === undefined ? '' : `, first at ${toIso(at)} by its own clock`;
    return found(
      'ok',
      'witnesses.ok',
      `${good.join(', ')} saw the log grow up to this checkpoint and cosigned it${first}; ${quorum} asked for.`,
    );
  }
}

/** Verifies one receipt. @returns a finding for every link of the chain; never throws */
export const verifyReceipt = (bytes: Uint8Array, anchor: Anchor): Verdict =>
  new ReceiptVerifier(anchor, { remember: 64 }).verify(bytes);

const MULTIPLIERS: Readonly<Record<string, string>> = { none: '', micro: 'µ' };
function unitOf({ unitSymbol, unitMultiplier = 'none' }: Point): string | undefined {
  return unitSymbol && unitSymbol !== 'none'
    ? `${MULTIPLIERS[unitMultiplier] ?? unitMultiplier}${unitSymbol}`
    : undefined;
}

function checkValue(receipt: Receipt, context: EntryContext): { entry: CheckedEntry; value: ReceiptValue } {
  const { about } = receipt;
  const entry = checkEntry(receipt.value, 'the value', context);
  const { header, index: record } = entry;
  let column: Column;
  try {
    if (header.kind !== 'observations') throw new Error(`record ${record} is of kind ${header.kind}`);
    column = observationsOfColumn(header, entry.column);
  } catch (error) {
    throw new BrokenLink('signature', 'receipt.column', `the value cannot be read: ${describeError(error)}`);
  }
  const at = about.index;
  if (column.point !== about.point || column.sourceTime[at] !== about.sourceTime) {
    const text = 'what the receipt says it is about is not what its source signed';
    throw new BrokenLink('receipt', 'receipt.about', text);
  }
  const value: ReceiptValue = {
    point: column.point,
    source: header.source,
    value: column.value[at] ?? null,
    quality: column.quality[at]!,
    sourceTime: about.sourceTime,
    receiveTime: column.receiveTime[at]!,
    record,
  };
  return { entry, value };
}

function signatureFinding({ header, deferred, signer }: CheckedEntry): Finding {
  const { source, epoch, sequence, columns } = header;
  const by =
    deferred === 0 ? 'signed' : `covered by the signature over the batch ${deferred} behind it, which was made`;
  const text = `The value is one of ${columns} points in batch ${epoch}/${sequence} of ${source}, ${by} by the key of ${source} (ES256).`;
  const details = { epoch, sequence, columns, deferred, key: signer.fingerprint };
  return { link: 'signature', state: 'ok', code: 'signature.ok', text, details };
}

function gatewayFinding({ signer }: CheckedEntry, { receiveTime, source }: ReceiptValue, signers: Signers): Finding {
  signers.validAt(signer, receiveTime, 'gateway', 'the value');
  const { role } = signer.holder;
  const what = role === 'edge' ? 'gateway' : role;
  const did = role === 'service' ? 'made' : 'received';
  const text = `The ${what} ${source} ${did} it at ${toIso(receiveTime)} by its own clock. Its certificate leads to the authority '${signer.authority}' and is valid from ${toIso(signer.from)} to ${toIso(signer.until)}.`;
  const details = { role, source, fingerprint: signer.fingerprint, authority: signer.authority };
  return { link: 'gateway', state: 'ok', code: 'gateway.ok', text, at: receiveTime, details };
}

function logFinding({ index }: CheckedEntry, { checkpoint }: SignedCheckpoint): Finding {
  const { origin, size, time } = checkpoint;
  const text = `It is record ${index} of the log ${origin}, whose checkpoint over ${size} records was signed at ${toIso(time)}.`;
  return { link: 'log', state: 'ok', code: 'log.ok', text, at: time, details: { record: index, size, origin } };
}

/** A value that a service worked out: no device, but the records that it had read, and whose they were. */
function calculated(device: Finding, inputs: readonly string[], { header, index }: CheckedEntry): Finding {
  const { source, reads = [] } = header;
  const link = 'device' as const;
  if (reads.length === 0) {
    const text = `The service ${source} calculated it and does not say from what.`;
    return { link, state: 'weak', code: 'device.calculated', text };
  }
  if (reads.at(-1)!.last >= index) {
    throw new BrokenLink(
      link,
      'receipt.reads',
      `${source} says it has read record ${reads.at(-1)!.last}, which came behind it`,
    );
  }
  const ranges = reads.map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`)).join(', ');
  const from = inputs.length > 0 ? ` from values of ${inputs.join(', ')}` : '';
  const worth = inputs.length > 0 ? ' What those were worth, receipts of theirs show.' : '';
  const text = `The service ${source} calculated it${from} after it had read records ${ranges} of the log; it says so under its signature.${worth}`;
  return {
    link,
    state: device.state === 'bad' ? 'bad' : 'ok',
    code: 'device.calculated',
    text,
    details: { reads: ranges, ...(inputs.length > 0 ? { inputs: inputs.join(', ') } : {}) },
  };
}
