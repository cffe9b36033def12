import type { FileElement, FileStep } from './file-elements.ts';
import {
  AFQ,
  checksum,
  FILE_ERROR,
  type FileFailure,
  LSQ,
  MAX_SECTIONS,
  MAX_WIRE_LENGTH,
  NOT_READY,
  SCQ,
} from './file-elements.ts';

export interface FileSenderOptions {
  /** Name of file NOF, 1 to 65535. */
  readonly file: number;
  readonly content: Uint8Array;
  /** Octets that fit one segment. */
  readonly segmentRoom: number;
  /** Octets of a section; grows where 255 sections would not do. Default 32768. */
  readonly sectionSize?: number;
  /** How often one section is sent before a negative acknowledgement ends the transfer. Default 3. */
  readonly attempts?: number;
}

/**
 * The side that has the file, in either direction (IEC 60870-5-101, 7.4.11): file ready, section ready, segments, last segment,
 * last section. Pure: elements in, elements out.
 */
export class FileSender {
  readonly file: number;
  readonly content: Uint8Array;
  readonly #segmentRoom: number;
  readonly #sectionSize: number;
  readonly #sections: number;
  readonly #attempts: number;
  /** 'ready' until the file is called, then the section whose call, segments or acknowledgement are under way. */
  #state: 'ready' | 'section announced' | 'section sent' | 'file sent' | 'over' = 'ready';
  #section = 0;
  #tries = 0;

  /** @throws RangeError for a file longer than the wire can name */
  constructor(options: FileSenderOptions) {
    const { content } = options;
    if (content.length > MAX_WIRE_LENGTH) {
      throw new RangeError(`File ${options.file}: ${content.length} octets; the length field holds ${MAX_WIRE_LENGTH}`);
    }
    this.file = options.file;
    this.content = content;
    this.#segmentRoom = options.segmentRoom;
    this.#sectionSize = Math.max(options.sectionSize ?? 32_768, Math.ceil(content.length / MAX_SECTIONS), 1);
    this.#sections = Math.ceil(content.length / this.#sectionSize);
    this.#attempts = options.attempts ?? 3;
  }

  /** F_FR_NA_1: the answer to a select, or the announcement of a file in control direction. */
  fileReady(): FileElement {
    return { kind: 'fileReady', file: this.file, length: this.content.length, qualifier: 0 };
  }

  receive(element: FileElement): FileStep {
    if (this.#state === 'over') return { send: [] };
    if (element.kind === 'fileCall') return this.#called(element);
    if (element.kind === 'fileAcknowledge') return this.#acknowledged(element);
    return this.#fail('protocol', `${element.kind} from the receiving side`);
  }

  #called(element: Extract<FileElement, { kind: 'fileCall' }>): FileStep {
    if (element.file !== this.file)
      return this.#fail('protocol', `call of file ${element.file} during the transfer of file ${this.file}`);
    switch (element.qualifier & 0x0f) {
      case SCQ.callFile:
        // Called again before the first section is called: an impatient peer, answered alike.
        if (this.#state !== 'ready' && this.#state !== 'section announced') return this.#unexpected('call of the file');
        return this.#announce(1);
      case SCQ.callSection:
        if (this.#state !== 'section announced' || element.section !== this.#section)
          return this.#unexpected(`call of section ${element.section}`);
        this.#state = 'section sent';
        return { send: this.#segments(this.#section) };
      case SCQ.selectSection:
        if (element.section < 1 || element.section > this.#sections || this.#state === 'ready') {
          return {
            send: [
              { kind: 'sectionReady', file: this.file, section: element.section, length: 0, qualifier: NOT_READY },
            ],
          };
        }
        return this.#announce(element.section);
      case SCQ.deactivateSection:
        this.#state = 'section announced';
        return {
          send: [
            {
              kind: 'lastSection',
              file: this.file,
              section: this.#section,
              qualifier: LSQ.sectionDeactivated,
              checksum: 0,
            },
          ],
        };
      case SCQ.deactivateFile:
        this.#state = 'over';
        return {
          send: [
            {
              kind: 'lastSection',
              file: this.file,
              section: this.#section,
              qualifier: LSQ.fileDeactivated,
              checksum: 0,
            },
          ],
          outcome: { ok: false, reason: 'deactivated', text: `file ${this.file}: the receiver ended the transfer` },
        };
      default:
        return this.#unexpected(`qualifier ${element.qualifier}`);
    }
  }

  #acknowledged(element: Extract<FileElement, { kind: 'fileAcknowledge' }>): FileStep {
    // About a file before this one.
    if (element.file !== this.file) return { send: [] };
    const kind = element.qualifier & 0x0f;
    if (kind === AFQ.fileOk && this.#state === 'file sent') {
      this.#state = 'over';
      return { send: [], outcome: { ok: true, content: this.content } };
    }
    if (kind === AFQ.sectionOk && this.#state === 'section sent' && element.section === this.#section) {
      return this.#announce(this.#section + 1);
    }
    if (kind === AFQ.sectionFailed && this.#state === 'section sent' && element.section === this.#section) {
      if (this.#tries < this.#attempts) return this.#announce(this.#section);
      return this.#fail('checksum', `section ${this.#section} was refused ${this.#attempts} times`);
    }
    if (kind === AFQ.fileFailed) {
      const reason = element.qualifier >> 4 === FILE_ERROR.noMemory ? 'too long' : 'refused';
      // The receiver has ended it already and is not to be answered.
      return { ...this.#fail(reason, `the receiver refused the file (AFQ ${element.qualifier})`), send: [] };
    }
    return this.#unexpected(`acknowledgement ${element.qualifier} of section ${element.section}`);
  }

  #announce(section: number): FileStep {
    if (section > this.#sections) {
      this.#state = 'file sent';
      return {
        send: [
          {
            kind: 'lastSection',
            file: this.file,
            section: this.#sections,
            qualifier: LSQ.file,
            checksum: checksum(this.content),
          },
        ],
      };
    }
    this.#tries = section === this.#section ? this.#tries + 1 : 1;
    this.#section = section;
    this.#state = 'section announced';
    const length = this.#bytesOf(section).length;
    return { send: [{ kind: 'sectionReady', file: this.file, section, length, qualifier: 0 }] };
  }

  #bytesOf(section: number): Uint8Array {
    return this.content.subarray((section - 1) * this.#sectionSize, section * this.#sectionSize);
  }

  *#segments(section: number): Generator<FileElement> {
    const bytes = this.#bytesOf(section);
    for (let at = 0; at < bytes.length; at += this.#segmentRoom) {
      if (this.#state !== 'section sent' || this.#section !== section) return;
      yield { kind: 'segment', file: this.file, section, data: bytes.subarray(at, at + this.#segmentRoom) };
    }
    yield { kind: 'lastSection', file: this.file, section, qualifier: LSQ.section, checksum: checksum(bytes) };
  }

  #unexpected(what: string): FileStep {
    return this.#fail('protocol', `${what} while '${this.#state}'`);
  }

  #fail(reason: FileFailure, text: string): FileStep {
    this.#state = 'over';
    return {
      send: [
        { kind: 'lastSection', file: this.file, section: this.#section, qualifier: LSQ.fileDeactivated, checksum: 0 },
      ],
      outcome: { ok: false, reason, text: `file ${this.file}: ${text}; transfer ended` },
    };
  }
}
