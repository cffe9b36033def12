/** Virtual time and sources that attest, for tests of the trust keeper. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type Attester,
  bindingOf,
  EVIDENCE_METHOD,
  MeasurementList,
  openSoftwareAttester,
  readEvidenceQuestion,
  sha256,
} from '@enerchain/attestation';
import type { Clock } from '@enerchain/model';
import type { CborValue, Identity } from '@enerchain/trust';
import { expect } from 'vitest';
import type { AttestedPeer } from '../src/trust/peer.ts';

export const T0 = 1_790_000_000_000_000_000n;
export const SECOND = 1_000_000_000n;

/** Time that passes when told, and what waits for it. */
export class Time {
  at = 0;
  #timers: { due: number; act: () => void }[] = [];
  readonly clock = { now: () => T0 + BigInt(Math.round(this.at * 1e6)), monotonic: () => this.at };
  readonly after = (milliseconds: number, act: () => void) => {
    const timer = { due: this.at + milliseconds, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  };

  async pass(milliseconds: number): Promise<void> {
    const end = this.at + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.at = Math.max(this.at, next.due);
      next.act();
      await settle();
    }
    this.at = end;
    await settle();
  }
}

/** Lets everything that is ready happen; no time passes. Signatures are made on this thread. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 15; i++) await new Promise((resolve) => setImmediate(resolve));
}

export const component = (name: string, content = name) => ({ name, digest: sha256(Buffer.from(content)) });
export const SOFTWARE = ['runtime:node', 'config:process', 'main.ts', 'edge.ts'].map((name) => component(name));

export class Source implements AttestedPeer {
  readonly source: string;
  readonly holder: AttestedPeer['holder'];
  readonly exporterBytes = randomBytes(32);
  readonly list = new MeasurementList(randomBytes(16).toString('hex'));
  attester!: Attester;
  asked = 0;
  /** Answers to other methods. */
  readonly others = new Map<string, (params: CborValue) => CborValue>();
  /** Instead of the attester. */
  answer: ((params: CborValue) => Promise<CborValue>) | undefined;

  constructor(identity: Identity) {
    this.source = identity.name;
    this.holder = { name: identity.name, role: identity.role };
    this.list.append({ kind: 'start', at: T0, components: [...SOFTWARE, component('config:site', identity.name)] });
  }

  static async open(identity: Identity, dir: string, clock?: Clock): Promise<Source> {
    const source = new Source(identity);
    source.attester = await openSoftwareAttester({
      identity: () => identity,
      secretFile: join(dir, `${identity.name}.uds`),
      measurements: { list: source.list, rescan: async () => undefined, onChange: () => () => undefined },
      ...(clock ? { clock } : {}),
    });
    return source;
  }

  exporter(): Uint8Array {
    return this.exporterBytes;
  }

  async request(method: string, params: CborValue): Promise<CborValue> {
    const other = this.others.get(method);
    if (other) return other(params);
    expect(method).toBe(EVIDENCE_METHOD);
    this.asked++;
    if (this.answer) return this.answer(params);
    const { nonce, since } = readEvidenceQuestion(params);
    return { evidence: await this.attester.evidence([this.bindingFor(nonce)], since), origin: 'file' };
  }

  /** As it makes it itself, for its own end of the connection. */
  bindingFor(nonce: Uint8Array): Uint8Array {
    return bindingOf({ nonce, exporter: this.exporterBytes, verifier: 'centre', node: this.source });
  }

  change(name: string, content: string): void {
    this.list.append({ kind: 'more', at: T0, components: [component(name, content)] });
  }
}
