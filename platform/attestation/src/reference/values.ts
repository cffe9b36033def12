/**
 * The reference values that hold at a moment: all manifests whose time it is. Manifests overlap on purpose: while a new
 * version is staged the old one still holds, so that a fleet can be updated node by node without one alarm.
 */
import type { UtcNanos } from '@enerchain/model';
import type { Manifest, SignedManifest } from './corim.ts';

/** What was expected of a component. */
export interface Expectation {
  /** `known`: one of the digests; `changed`: others are expected; `unknown`: nobody has ever named it. */
  readonly verdict: 'known' | 'changed' | 'unknown';
  /** Digests that would be right, hex. */
  readonly expected: readonly string[];
}

const NOTHING: readonly string[] = [];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

/** The values in force; another object as soon as anything about them differs. */
export class ReferenceSnapshot {
  /** SHA-256 of the manifests in force, hex, sorted. */
  readonly manifests: readonly string[];
  /** Until then nothing changes by itself; undefined: never. */
  readonly until: UtcNanos | undefined;
  readonly #common: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #byNode: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
  readonly #registers: ReadonlyMap<string, ReadonlyMap<number, ReadonlySet<string>>>;
  readonly #nodeManifests: ReadonlyMap<string, readonly string[]>;

  constructor(manifests: readonly SignedManifest[], until: UtcNanos | undefined) {
    this.until = until;
    const common = new Map<string, Set<string>>();
    const byNode = new Map<string, Map<string, Set<string>>>();
    const registers = new Map<string, Map<number, Set<string>>>();
    const nodeManifests = new Map<string, string[]>();
    const shared: string[] = [];
    for (const { manifest, digest } of manifests) {
      const { node = '' } = manifest;
      if (node === '') shared.push(digest);
      else entryOf(nodeManifests, node, () => []).push(digest);
      const names = node === '' ? common : entryOf(byNode, node, () => new Map<string, Set<string>>());
      for (const component of manifest.components) {
        entryOf(names, component.name, () => new Set<string>()).add(hex(component.digest));
      }
      const pcrs = entryOf(registers, node, () => new Map<number, Set<string>>());
      for (const register of manifest.registers) {
        entryOf(pcrs, register.pcr, () => new Set<string>()).add(hex(register.digest));
      }
    }
    this.#common = common;
    this.#byNode = byNode;
    this.#registers = registers;
    this.#nodeManifests = nodeManifests;
    this.manifests = shared.sort();
  }

  /** Whether there is anything that says what software a node may run. */
  get empty(): boolean {
    return this.#common.size === 0 && this.#byNode.size === 0;
  }

  /** The manifests that hold for a node, SHA-256 as hex. */
  manifestsOf(node: string): readonly string[] {
    const own = this.#nodeManifests.get(node);
    return own ? [...this.manifests, ...own] : this.manifests;
  }

  check(node: string, name: string, digest: Uint8Array): Expectation {
    const text = hex(digest);
    const common = this.#common.get(name);
    const own = this.#byNode.get(node)?.get(name);
    if (common?.has(text) || own?.has(text)) return { verdict: 'known', expected: NOTHING };
    if (!common && !own) return { verdict: 'unknown', expected: NOTHING };
    return { verdict: 'changed', expected: [...(common ?? []), ...(own ?? [])] };
  }

  /** Whether any of these PCRs has a golden value for a node. */
  hasRegisters(node: string, pcrs: readonly number[]): boolean {
    const known = [this.#registers.get(''), this.#registers.get(node)];
    return pcrs.some((pcr) => known.some((registers) => registers?.has(pcr)));
  }

  /** Whether a PCR has a golden value for a node, and whether this is one. */
  checkRegister(node: string, pcr: number, digest: Uint8Array): Expectation {
    const sets = [this.#registers.get('')?.get(pcr), this.#registers.get(node)?.get(pcr)].filter(
      (set) => set !== undefined,
    );
    if (sets.length === 0) return { verdict: 'unknown', expected: NOTHING };
    const text = hex(digest);
    if (sets.some((set) => set.has(text))) return { verdict: 'known', expected: NOTHING };
    return { verdict: 'changed', expected: sets.flatMap((set) => [...set]) };
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let entry = map.get(key);
  if (entry === undefined) {
    entry = make();
    map.set(key, entry);
  }
  return entry;
}

export class ReferenceValues {
  readonly #manifests = new Map<string, SignedManifest>();
  /** When a manifest was taken out of force before its own end, by digest. */
  readonly #withdrawn = new Map<string, UtcNanos>();
  #snapshot: ReferenceSnapshot | undefined;

  /** Adds a manifest whose signature was checked. The same again is no change. */
  add(signed: SignedManifest): void {
    if (this.#manifests.has(signed.digest)) return;
    this.#manifests.set(signed.digest, signed);
    this.#snapshot = undefined;
  }

  /** From then on a manifest holds no more: the end of the overlap with its successor. */
  withdraw(digest: string, at: UtcNanos): void {
    this.#withdrawn.set(digest, at);
    this.#snapshot = undefined;
  }

  /** All that were added, whether or not their time it is. */
  all(): readonly SignedManifest[] {
    return [...this.#manifests.values()];
  }

  get(digest: string): SignedManifest | undefined {
    return this.#manifests.get(digest);
  }

  endOf({ manifest, digest }: { readonly manifest: Manifest; readonly digest: string }): UtcNanos {
    const withdrawn = this.#withdrawn.get(digest);
    return withdrawn !== undefined && withdrawn < manifest.notAfter ? withdrawn : manifest.notAfter;
  }

  /** What holds at a moment. The same object as long as it holds. */
  at(now: UtcNanos): ReferenceSnapshot {
    const kept = this.#snapshot;
    if (kept && now >= this.#from && (kept.until === undefined || now < kept.until)) return kept;
    const all = this.all();
    const valid = all.filter((each) => each.manifest.notBefore <= now && now < this.endOf(each));
    const boundaries = all.flatMap((each) => [each.manifest.notBefore, this.endOf(each)]);
    const next = boundaries.filter((at) => at > now).sort((a, b) => (a < b ? -1 : 1))[0];
    this.#from = boundaries.filter((at) => at <= now).sort((a, b) => (a < b ? 1 : -1))[0] ?? 0n;
    this.#snapshot = new ReferenceSnapshot(valid, next);
    return this.#snapshot;
  }
  #from: UtcNanos = 0n;
}
