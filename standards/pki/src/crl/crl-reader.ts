/**
 * Certificate revocation lists (RFC 5280 § 5), read as they come in: each entry goes into the index and is forgotten, so that
 * memory is bounded by the index, not by the list. Nothing is believed before the signature over all of it has been checked.
 * Delta lists, indirect lists and lists for some reasons only are refused.
 */
import { createVerify, type Verify } from 'node:crypto';
import type { Certificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import { context, contextPrimitive, TAG } from '../der-tags.ts';
import { PkiError } from '../error.ts';
import { readDistributionPointName, readExtensionList } from '../extension.ts';
import { commonNameOf, sameName } from '../name.ts';
import { OID } from '../oid.ts';
import { readAlgorithm, verifiedAlgorithm } from '../signed.ts';
import type { CrlScope } from './crl-writer.ts';
import { RevocationIndex } from './revocation-index.ts';
import { RevocationList } from './revocation-list.ts';

export interface CrlReaderOptions {
  /** Whose list it is: name, key and the right to sign lists are checked. */
  readonly issuer: Certificate;
  /** Largest list, bytes; 64 MiB when absent. */
  readonly maxBytes?: number;
  /** Most entries; 2 000 000 when absent. */
  readonly maxEntries?: number;
}

/** Largest single element that is read at once: an entry, a name, the extensions. */
const MAX_ELEMENT = 64 * 1024;
const MAX_SERIAL = 21;

/** Different extensions of entries that are remembered. */
const MAX_KNOWN = 64;

interface EntryExtensions {
  readonly reason: number;
  readonly invalidSince: number | undefined;
}
const NOTHING_SAID: EntryExtensions = { reason: 0, invalidSince: undefined };

type Stage = 'list' | 'signed part' | 'preamble' | 'entries' | 'extensions' | 'signature' | 'done';

export class CrlReader {
  readonly #issuer: Certificate;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #index = new RevocationIndex();
  #stage: Stage = 'list';
  /** What of the preamble comes next. */
  #field: 'version' | 'algorithm' | 'issuer' | 'thisUpdate' | 'nextUpdate' | 'list' = 'version';
  /** Bytes of the signed part before its algorithm, and so the hash, is known. */
  readonly #head: Uint8Array[] = [];
  /** Bytes that are not read yet. */
  #pending: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Position of `#pending` in the list. */
  #base = 0;
  /** Ends of the list, of its signed part, of the entries, as positions in the list. */
  #end = 0;
  #signedEnd = 0;
  #entriesEnd = 0;
  #verify: Verify | undefined;
  #algorithm = '';
  #thisUpdate: Date | undefined;
  #nextUpdate: Date | undefined;
  #number: bigint | undefined;
  #scope: CrlScope = 'all';
  #signature: Uint8Array | undefined;
  /** Extensions of entries by their octets: the same few stand in all of them. */
  readonly #known = new Map<string, EntryExtensions>();

  constructor(options: CrlReaderOptions) {
    this.#issuer = options.issuer;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
    this.#maxEntries = options.maxEntries ?? 2_000_000;
  }

  /** Takes the next bytes of the list. @throws PkiError `pki.crl` (fault peer) at the first byte that cannot be part of one */
  push(chunk: Uint8Array): void {
    this.#pending =
      this.#at === this.#pending.length ? chunk : Buffer.concat([this.#pending.subarray(this.#at), chunk]);
    this.#at = 0;
    while (this.#step()) {}
    this.#base += this.#at;
    // A copy: what is kept of a chunk is little, and the chunk is the caller's.
    this.#pending = this.#pending.slice(this.#at);
    this.#at = 0;
    if (this.#stage === 'done' && this.#pending.length > 0) throw this.#fail('has bytes behind its end');
  }

  /**
   * Ends the list.
   * @throws PkiError (fault peer): `pki.crl` when it is not whole, not of the issuer or not signed by it
   */
  end(): RevocationList {
    if (this.#stage !== 'done') throw this.#fail('ends before its signature');
    const { keyUsage } = this.#issuer.extensions;
    if (keyUsage && !keyUsage.includes('cRLSign')) throw this.#fail('is signed with a key that may not sign lists');
    const { key } = verifiedAlgorithm(this.#algorithm);
    const authentic =
      this.#issuer.publicKey.asymmetricKeyType === key &&
      this.#verify!.verify(this.#issuer.publicKey, this.#signature!);
    if (!authentic) throw this.#fail('has a signature that is not its issuer’s');
    return new RevocationList({
      issuer: this.#issuer,
      thisUpdate: this.#thisUpdate!,
      nextUpdate: this.#nextUpdate,
      number: this.#number,
      scope: this.#scope,
      index: this.#index,
    });
  }

  #fail(why: string): PkiError {
    const name = commonNameOf(this.#issuer.subject) ?? 'an authority without a name';
    return new PkiError('peer', 'pki.crl', `the revocation list of ${name} ${why} (byte ${this.#base + this.#at})`);
  }

  /** Reads one thing. @returns false when more bytes are needed, or none are */
  #step(): boolean {
    switch (this.#stage) {
      case 'list':
        return this.#enter(TAG.sequence, this.#maxBytes, (end) => {
          this.#end = end;
          this.#stage = 'signed part';
        });
      case 'signed part':
        return this.#enter(TAG.sequence, this.#end - this.#base - this.#at, (end, head) => {
          this.#signedEnd = end;
          this.#head.push(head);
          this.#stage = 'preamble';
        });
      case 'preamble':
        return this.#preamble();
      case 'entries':
        return this.#entries();
      case 'extensions':
        return this.#extensions();
      case 'signature':
        return this.#trailer();
      case 'done':
        return false;
    }
  }

  #preamble(): boolean {
    const tag = this.#pending[this.#at];
    const atEnd = this.#base + this.#at === this.#signedEnd;
    switch (this.#field) {
      case 'version':
        if (tag === undefined) return false;
        if (tag !== TAG.integer) return this.#next('algorithm');
        return this.#element((reader) => {
          if (reader.smallInteger('version') !== 1) throw this.#fail('is not of version 2');
          this.#field = 'algorithm';
        });
      case 'algorithm':
        return this.#element((reader) => {
          this.#algorithm = readAlgorithm(reader);
          this.#verify = createVerify(verifiedAlgorithm(this.#algorithm).hash);
          for (const part of this.#head) this.#verify.update(part);
          this.#field = 'issuer';
        });
      case 'issuer':
        return this.#element((reader) => {
          if (!sameName(reader.any('issuer').raw, this.#issuer.subjectDer)) throw this.#fail('is of another issuer');
          this.#field = 'thisUpdate';
        });
      case 'thisUpdate':
        return this.#element((reader) => {
          this.#thisUpdate = reader.time('thisUpdate');
          this.#field = 'nextUpdate';
        });
      case 'nextUpdate':
        if (tag === undefined && !atEnd) return false;
        if (atEnd || (tag !== TAG.utcTime && tag !== TAG.generalizedTime)) return this.#next('list');
        return this.#element((reader) => {
          this.#nextUpdate = reader.time('nextUpdate');
          this.#field = 'list';
        });
      case 'list':
        if (tag === undefined && !atEnd) return false;
        if (atEnd || tag !== TAG.sequence) {
          this.#stage = 'extensions';
          return true;
        }
        return this.#enter(TAG.sequence, this.#signedEnd - this.#base - this.#at, (end, head) => {
          this.#verify!.update(head);
          this.#entriesEnd = end;
          this.#stage = 'entries';
        });
    }
  }

  #next(field: 'algorithm' | 'list'): true {
    this.#field = field;
    return true;
  }

  /** As many whole entries as there are, hashed at once. */
  #entries(): boolean {
    const bytes = this.#pending;
    const start = this.#at;
    const end = Math.min(bytes.length, this.#entriesEnd - this.#base);
    for (;;) {
      const size = wholeElement(bytes, this.#at, end);
      if (size === undefined) break;
      if (size < 0 || size > MAX_ELEMENT || bytes[this.#at] !== TAG.sequence) throw this.#fail('has a malformed entry');
      this.#entry(bytes.subarray(this.#at, this.#at + size));
      this.#at += size;
    }
    if (this.#at > start) this.#verify!.update(bytes.subarray(start, this.#at));
    if (this.#base + this.#at === this.#entriesEnd) {
      this.#stage = 'extensions';
      return true;
    }
    if (bytes.length - this.#at > MAX_ELEMENT || end < bytes.length) throw this.#fail('has a malformed entry');
    return false;
  }

  #entry(raw: Uint8Array): void {
    if (this.#index.size >= this.#maxEntries) throw this.#fail(`has more than ${this.#maxEntries} entries`);
    const entry = new DerReader(raw, 0, this.#base + this.#at).sequence('entry');
    const serialNumber = entry.integerBytes('serial number', MAX_SERIAL);
    const revokedAt = entry.time('revocation date').getTime();
    const { reason, invalidSince } = entry.done ? NOTHING_SAID : this.#entryExtensions(entry);
    entry.end('entry');
    this.#index.add(serialNumber, revokedAt, reason, invalidSince);
  }

  #entryExtensions(entry: DerReader): EntryExtensions {
    const { raw } = entry.any('extensions');
    const key = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1');
    const known = this.#known.get(key);
    if (known) return known;
    let reason = 0;
    let invalidSince: number | undefined;
    for (const { oid, critical, value } of readExtensionList(new DerReader(raw))) {
      const inner = new DerReader(value);
      if (oid === OID.reasonCode) reason = inner.enumerated('reason');
      else if (oid === OID.invalidityDate) invalidSince = inner.time('invalidity date').getTime();
      // Among them certificateIssuer, which makes a list indirect (§ 5.3.3).
      else if (critical) throw this.#fail(`has an entry with the critical extension ${oid}`);
    }
    const read = { reason, invalidSince };
    if (this.#known.size < MAX_KNOWN) this.#known.set(key, read);
    return read;
  }

  #extensions(): boolean {
    if (this.#base + this.#at === this.#signedEnd) {
      this.#stage = 'signature';
      return true;
    }
    return this.#element((reader) => {
      const extensions = reader.open(context(0), 'extensions');
      for (const { oid, critical, value } of readExtensionList(extensions)) {
        const inner = new DerReader(value);
        if (oid === OID.crlNumber) this.#number = inner.integer('number', MAX_SERIAL);
        else if (oid === OID.authorityKeyIdentifier) this.#authorityKeyIdentifier(inner);
        else if (oid === OID.issuingDistributionPoint) this.#issuingDistributionPoint(inner);
        else if (critical) throw this.#fail(`has the critical extension ${oid}, which is not understood here`);
      }
      extensions.end('extensions');
      if (this.#base + this.#at !== this.#signedEnd) throw this.#fail('has something behind its extensions');
      this.#stage = 'signature';
    });
  }

  #authorityKeyIdentifier(reader: DerReader): void {
    const inner = reader.sequence('authority key identifier');
    const own = this.#issuer.extensions.subjectKeyIdentifier;
    while (!inner.done) {
      const { tag, contents } = inner.any('authority key identifier');
      if (tag === contextPrimitive(0) && own && Buffer.compare(contents, own) !== 0) {
        throw this.#fail('is signed with another key of its issuer');
      }
    }
  }

  /** § 5.2.5. */
  #issuingDistributionPoint(reader: DerReader): void {
    const inner = reader.sequence('issuing distribution point');
    readDistributionPointName(inner);
    while (!inner.done) {
      const { tag, contents } = inner.any('issuing distribution point');
      const set = contents.length === 1 && contents[0] === 0xff;
      if (tag === contextPrimitive(1) && set) this.#scope = 'endEntities';
      else if (tag === contextPrimitive(2) && set) this.#scope = 'authorities';
      else if (tag === contextPrimitive(3) || set) throw this.#fail('is indirect, or for some reasons only');
    }
  }

  #trailer(): boolean {
    if (this.#signature) return false;
    const whole = this.#base + this.#pending.length >= this.#end;
    if (!whole) {
      if (this.#pending.length - this.#at > MAX_ELEMENT) throw this.#fail('has too long a signature');
      return false;
    }
    const rest = this.#pending.subarray(this.#at, this.#end - this.#base);
    const reader = new DerReader(rest, 0, this.#base + this.#at);
    if (readAlgorithm(reader) !== this.#algorithm) throw this.#fail('has two different signature algorithms');
    this.#signature = reader.octetAlignedBits('signature');
    reader.end('list');
    this.#at += rest.length;
    this.#stage = 'done';
    return false;
  }

  /** Steps into a constructed element, whole or not. @param max most contents that its parent has room for, with its head */
  #enter(tag: number, max: number, enter: (end: number, head: Uint8Array) => void): boolean {
    const header = headerAt(this.#pending, this.#at);
    if (!header) return false;
    if (header.size < 0 || header.tag !== tag || header.head + header.size > max) {
      throw this.#fail(`has a malformed or too large ${this.#stage}`);
    }
    const head = this.#pending.slice(this.#at, this.#at + header.head);
    this.#at += header.head;
    enter(this.#base + this.#at + header.size, head);
    return true;
  }

  /** Reads one whole element of the signed part. */
  #element(read: (reader: DerReader) => void): boolean {
    const limit = this.#signedEnd - this.#base;
    const size = wholeElement(this.#pending, this.#at, Math.min(this.#pending.length, limit));
    if (size === undefined) {
      const cutByParent = this.#pending.length >= limit;
      if (cutByParent || this.#pending.length - this.#at > MAX_ELEMENT)
        throw this.#fail(`has a malformed ${this.#stage}`);
      return false;
    }
    if (size < 0) throw this.#fail(`has a malformed ${this.#stage}`);
    const raw = this.#pending.subarray(this.#at, this.#at + size);
    const reader = new DerReader(raw, 0, this.#base + this.#at);
    this.#at += size;
    // The algorithm is known after its own element has been read.
    if (!this.#verify) this.#head.push(raw.slice());
    else this.#verify.update(raw);
    read(reader);
    reader.end(this.#stage);
    return true;
  }
}

/** Reads a list that is there as a whole. @throws PkiError as `CrlReader` does */
export function parseCrl(bytes: Uint8Array, options: CrlReaderOptions): RevocationList {
  const reader = new CrlReader(options);
  reader.push(bytes);
  return reader.end();
}

/** Reads a list out of a stream, for example of a file. @throws PkiError as `CrlReader` does, and what the stream throws */
export async function readCrl(source: AsyncIterable<Uint8Array>, options: CrlReaderOptions): Promise<RevocationList> {
  const reader = new CrlReader(options);
  for await (const chunk of source) reader.push(chunk);
  return reader.end();
}

/** Tag and length at a position; `undefined` when they are not there as a whole, size -1 when they are not DER. */
function headerAt(
  bytes: Uint8Array,
  at: number,
  end = bytes.length,
): { readonly tag: number; readonly head: number; readonly size: number } | undefined {
  if (end - at < 2) return undefined;
  const tag = bytes[at]!;
  const first = bytes[at + 1]!;
  if (first < 0x80) return { tag, head: 2, size: first };
  const octets = first & 0x7f;
  if (octets === 0 || octets > 4) return { tag, head: 2, size: -1 };
  if (end - at < 2 + octets) return undefined;
  let size = 0;
  for (let i = 0; i < octets; i++) size = size * 256 + bytes[at + 2 + i]!;
  const shortest = size >= 0x80 && size >= 256 ** (octets - 1);
  return { tag, head: 2 + octets, size: shortest ? size : -1 };
}

/** Size of the element at a position with its head; `undefined` when it is not there as a whole, -1 when it is not DER. */
function wholeElement(bytes: Uint8Array, at: number, end: number): number | undefined {
  const first = bytes[at + 1]!;
  // Nearly every entry is short: no object is made for it.
  if (end - at >= 2 && first < 0x80) return at + 2 + first <= end ? 2 + first : undefined;
  const header = headerAt(bytes, at, end);
  if (!header) return undefined;
  if (header.size < 0) return -1;
  return at + header.head + header.size <= end ? header.head + header.size : undefined;
}
