import type { FileElement, FileFailure, FileStep } from './file-elements.ts';
import { AFQ, checksum, FILE_ERROR, LSQ, NOT_READY, SCQ } from './file-elements.ts';

export interface FileReceiverOptions {
  readonly file: number;
  /** Longest file accepted, octets. Memory is taken as octets arrive, never because a length was announced. */
  readonly maxLength: number;
  /** How often one section may arrive with a wrong checksum. Default 3. */
  readonly attempts?: number;
}

/** Octets in arrival order, in one buffer that grows by doubling: many tiny segments cost no more than their octets. */
class Gathered {
  #bytes = new Uint8Array(1024);
  length = 0;

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + bytes.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  from(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.length);
  }
}

/** The side that wants the file, in either direction (IEC 60870-5-101, 7.4.11). Pure: elements in, elements out. */
export class FileReceiver {
  readonly file: number;
  readonly #maxLength: number;
  readonly #attempts: number;
  #state: 'waiting' | 'called' | 'section called' | 'section received' | 'over' = 'waiting';
  #announced = 0;
  #section = 0;
  #sectionLength = 0;
  /** Octets of the sections acknowledged; what lies behind them belongs to the section under way. */
  #received = 0;
  #tries = 0;
  readonly #content = new Gathered();

  constructor(options: FileReceiverOptions) {
    this.file = options.file;
    this.#maxLength = options.maxLength;
    this.#attempts = options.attempts ?? 3;
  }

  /** F_SC_NA_1: the first step in monitor direction. In control direction the sender's file ready is the first. */
  select(): FileElement {
    return { kind: 'fileCall', file: this.file, section: 0, qualifier: SCQ.selectFile };
  }

  /** Ends the transfer from this side. */
  deactivate(): FileElement {
    this.#state = 'over';
    return { kind: 'fileCall', file: this.file, section: 0, qualifier: SCQ.deactivateFile };
  }

  receive(element: FileElement): FileStep {
    if (this.#state === 'over') return { send: [] };
    if ('file' in element && element.file !== this.file && element.kind !== 'fileReady') {
      return this.#fail('protocol', FILE_ERROR.unexpectedFile, `${element.kind} of file ${element.file}`);
    }
    switch (element.kind) {
      case 'fileReady':
        return this.#fileReady(element);
      case 'sectionReady':
        return this.#sectionReady(element);
      case 'segment':
        return this.#segment(element);
      case 'lastSection':
        return this.#last(element);
      default:
        return this.#fail('protocol', FILE_ERROR.unexpectedService, `${element.kind} from the sending side`);
    }
  }

  #fileReady(element: Extract<FileElement, { kind: 'fileReady' }>): FileStep {
    if (this.#state !== 'waiting') return this.#fail('protocol', FILE_ERROR.unexpectedService, 'second file ready');
    // The answer to a refused select often names file 0.
    if ((element.qualifier & NOT_READY) !== 0) {
      this.#state = 'over';
      return {
        send: [],
        outcome: { ok: false, reason: 'refused', text: `file ${this.file}: the sender does not have it ready` },
      };
    }
    if (element.file !== this.file)
      return this.#fail('protocol', FILE_ERROR.unexpectedFile, `file ready of file ${element.file}`);
    if (element.length > this.#maxLength) {
      return this.#fail(
        'too long',
        FILE_ERROR.noMemory,
        `${element.length} octets announced, at most ${this.#maxLength} are accepted`,
      );
    }
    this.#announced = element.length;
    this.#state = 'called';
    return { send: [{ kind: 'fileCall', file: this.file, section: 0, qualifier: SCQ.callFile }] };
  }

  #sectionReady(element: Extract<FileElement, { kind: 'sectionReady' }>): FileStep {
    if (this.#state !== 'called' && this.#state !== 'section received') {
      return this.#fail('protocol', FILE_ERROR.unexpectedService, `section ready while '${this.#state}'`);
    }
    if ((element.qualifier & NOT_READY) !== 0) {
      return this.#fail('refused', FILE_ERROR.unexpectedSection, `section ${element.section} is not ready`);
    }
    if (element.section !== this.#section + 1) {
      return this.#fail(
        'protocol',
        FILE_ERROR.unexpectedSection,
        `section ${element.section} after section ${this.#section}`,
      );
    }
    // A sender that does not know the length beforehand announces 0; then the bound alone holds.
    const room = (this.#announced === 0 ? this.#maxLength : this.#announced) - this.#received;
    if (element.length > room) {
      return this.#fail(
        'too long',
        FILE_ERROR.noMemory,
        `section ${element.section} of ${element.length} octets, ${room} are left`,
      );
    }
    this.#sectionLength = element.length;
    this.#content.length = this.#received;
    this.#state = 'section called';
    return { send: [{ kind: 'fileCall', file: this.file, section: element.section, qualifier: SCQ.callSection }] };
  }

  #segment(element: Extract<FileElement, { kind: 'segment' }>): FileStep {
    if (this.#state !== 'section called' || element.section !== this.#section + 1) {
      return this.#fail(
        'protocol',
        FILE_ERROR.unexpectedSection,
        `segment of section ${element.section} while '${this.#state}'`,
      );
    }
    if (this.#content.length - this.#received + element.data.length > this.#sectionLength) {
      return this.#fail(
        'protocol',
        FILE_ERROR.noMemory,
        `section ${element.section} is longer than the ${this.#sectionLength} octets announced`,
      );
    }
    this.#content.append(element.data);
    return { send: [] };
  }

  #last(element: Extract<FileElement, { kind: 'lastSection' }>): FileStep {
    switch (element.qualifier) {
      case LSQ.section:
        return this.#lastSegment(element);
      case LSQ.file:
        return this.#lastSection(element);
      case LSQ.fileDeactivated:
      case LSQ.sectionDeactivated:
        this.#state = 'over';
        return {
          send: [],
          outcome: { ok: false, reason: 'deactivated', text: `file ${this.file}: the sender ended the transfer` },
        };
      default:
        return this.#fail('protocol', FILE_ERROR.unexpectedService, `last section with qualifier ${element.qualifier}`);
    }
  }

  #lastSegment(element: Extract<FileElement, { kind: 'lastSection' }>): FileStep {
    if (this.#state !== 'section called' || element.section !== this.#section + 1) {
      return this.#fail(
        'protocol',
        FILE_ERROR.unexpectedSection,
        `end of section ${element.section} while '${this.#state}'`,
      );
    }
    const bytes = this.#content.from(this.#received);
    if (bytes.length !== this.#sectionLength || checksum(bytes) !== element.checksum) {
      this.#tries++;
      if (this.#tries >= this.#attempts) {
        return this.#fail(
          'checksum',
          FILE_ERROR.checksum,
          `section ${element.section} arrived wrong ${this.#tries} times`,
        );
      }
      this.#state = 'section received';
      const qualifier = AFQ.sectionFailed | (FILE_ERROR.checksum << 4);
      return { send: [{ kind: 'fileAcknowledge', file: this.file, section: element.section, qualifier }] };
    }
    this.#tries = 0;
    this.#section = element.section;
    this.#received = this.#content.length;
    this.#state = 'section received';
    return { send: [{ kind: 'fileAcknowledge', file: this.file, section: element.section, qualifier: AFQ.sectionOk }] };
  }

  #lastSection(element: Extract<FileElement, { kind: 'lastSection' }>): FileStep {
    if (this.#state !== 'section received' && this.#state !== 'called') {
      return this.#fail('protocol', FILE_ERROR.unexpectedService, `end of file while '${this.#state}'`);
    }
    this.#content.length = this.#received;
    const content = this.#content.from(0).slice();
    if (checksum(content) !== element.checksum || (this.#announced !== 0 && this.#announced !== content.length)) {
      return this.#fail(
        'checksum',
        FILE_ERROR.checksum,
        `${content.length} octets do not match checksum and length of the file`,
      );
    }
    this.#state = 'over';
    return {
      send: [{ kind: 'fileAcknowledge', file: this.file, section: element.section, qualifier: AFQ.fileOk }],
      outcome: { ok: true, content },
    };
  }

  #fail(reason: FileFailure, error: number, text: string): FileStep {
    this.#state = 'over';
    return {
      send: [
        { kind: 'fileAcknowledge', file: this.file, section: this.#section, qualifier: AFQ.fileFailed | (error << 4) },
      ],
      outcome: { ok: false, reason, text: `file ${this.file}: ${text}; transfer ended` },
    };
  }
}
