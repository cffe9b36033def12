/** The files that a server shows: a port. What it is given are names from the root down, already looked at by `pathOf`. */

/** Why it does not work, by the name of the MMS error. */
export type FileProblem =
  | 'file-non-existent'
  | 'file-access-denied'
  | 'filename-syntax-error'
  | 'duplicate-filename'
  | 'file-busy'
  | 'position-invalid'
  | 'insufficient-space-in-filestore';

/** Thrown by a store to say no. */
export class FileError extends Error {
  readonly problem: FileProblem;

  constructor(problem: FileProblem, message: string = problem, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FileError';
    this.problem = problem;
  }
}

export interface StoredFile {
  readonly name: string;
  readonly folder: boolean;
  /** Octets; 0 for a folder. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** An open file; what it had when it was opened is what is read. */
export interface OpenFile {
  readonly size: number;
  readonly modified: number;
  /** @returns fewer octets only at the end */
  read(position: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @throws FileError from each of them */
export interface FileStore {
  /** What a folder holds. */
  list(folder: readonly string[]): Promise<readonly StoredFile[]>;
  open(path: readonly string[]): Promise<OpenFile>;
  remove(path: readonly string[]): Promise<void>;
  /** Not onto a name that is there. */
  rename(from: readonly string[], to: readonly string[]): Promise<void>;
  /** A new file, there when it is complete; not onto a name that is there. */
  write(path: readonly string[], chunks: AsyncIterable<Uint8Array>): Promise<void>;
}
