import type { Element, ElementOf } from '../codec/elements.ts';

/** Type identification of each element of the file transfer (IEC 60870-5-101, 7.3.6). */
export const FILE_TYPE_IDS = {
  fileReady: 120,
  sectionReady: 121,
  fileCall: 122,
  lastSection: 123,
  fileAcknowledge: 124,
  segment: 125,
  directory: 126,
  queryLog: 127,
} as const;

export type FileElement = ElementOf<keyof typeof FILE_TYPE_IDS>;

export function isFileElement(element: Element): element is FileElement {
  return element.kind in FILE_TYPE_IDS;
}

/** Select and call qualifier SCQ, low four bits (IEC 60870-5-101, 7.2.6.30). */
export const SCQ = {
  default: 0,
  selectFile: 1,
  callFile: 2,
  deactivateFile: 3,
  deleteFile: 4,
  selectSection: 5,
  callSection: 6,
  deactivateSection: 7,
} as const;

/** Last section or segment qualifier LSQ (7.2.6.31). */
export const LSQ = { file: 1, fileDeactivated: 2, section: 3, sectionDeactivated: 4 } as const;

/** Acknowledge file or section qualifier AFQ, low four bits (7.2.6.32). */
export const AFQ = { fileOk: 1, fileFailed: 2, sectionOk: 3, sectionFailed: 4 } as const;

/** Error in the high four bits of SCQ and AFQ. */
export const FILE_ERROR = {
  none: 0,
  noMemory: 1,
  checksum: 2,
  unexpectedService: 3,
  unexpectedFile: 4,
  unexpectedSection: 5,
} as const;

/** FRQ and SRQ: set in the answer to what cannot be had (7.2.6.28, 7.2.6.29). */
export const NOT_READY = 0x80;

/** Lengths of files and sections have three octets on the wire. */
export const MAX_WIRE_LENGTH = 0xffffff;
/** Section numbers have one octet, and 0 means none. */
export const MAX_SECTIONS = 255;

/** Checksum CHS: arithmetic sum modulo 256 (7.2.6.37). */
export function checksum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
  return sum & 0xff;
}

/** Why a transfer ended without its file. */
export type FileFailure =
  | 'refused'
  | 'checksum'
  | 'too long'
  | 'protocol'
  | 'deactivated'
  | 'timeout'
  | 'connection ended'
  | 'busy';

/** What a machine wants done after an input. */
export interface FileStep {
  /** To be sent, in order; lazy, because a section is a long row of segments. */
  readonly send: Iterable<FileElement>;
  /** Set when the transfer is over. */
  readonly outcome?:
    | { readonly ok: true; readonly content: Uint8Array }
    | { readonly ok: false; readonly reason: FileFailure; readonly text: string };
}
