/** Opens the folder of a log: which log it is, its segments in order, and the newest of them ready to be written on. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { LogFile, LogFiles } from './files.ts';
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './format.ts';
import { Segment, type SegmentFinding } from './segment.ts';

export interface OpenedFolder {
  /** UUID of the log, 32 hex digits. */
  readonly id: string;
  /** Oldest first. */
  readonly segments: Segment[];
  /** The file of the newest segment; undefined when there is none. */
  readonly file: LogFile | undefined;
  readonly findings: readonly SegmentFinding[];
}

/** The sparse index of a sealed segment, beside it. */
export const indexPathOf = (segment: Segment): string => `${segment.path.slice(0, -4)}.idx`;

/**
 * Only the newest segment is read through; a tail that no record can begin with was never acknowledged, and is cut off after
 * it was put beside the file (`.torn`).
 */
export async function openFolder(files: LogFiles, folder: string): Promise<OpenedFolder> {
  await files.makeFolder(folder);
  const firsts = (await files.list(folder))
    .map((name) => Segment.firstOf(name))
    .filter((first) => first !== undefined)
    .sort((a, b) => a - b);
  const segments = firsts.map((first) => new Segment(folder, first));
  const id = await identify(files, folder, segments[0]);
  const findings: SegmentFinding[] = [];
  for (const segment of segments.slice(0, -1)) findings.push(...(await openSealed(files, segment, id)));
  segments.forEach((segment, index) => {
    const following = segments[index + 1];
    if (following) segment.next = following.first;
  });
  const newest = segments.at(-1);
  if (!newest) return { id, segments, file: undefined, findings };
  const file = await files.open(newest.path, 'write');
  const scanned = await newest.scan(file, id);
  findings.push(...scanned.findings);
  if (newest.bytes < scanned.size) await cutTail(files, file, newest, scanned.size);
  if (newest.bytes < SEGMENT_HEADER_BYTES) {
    await file.write([encodeSegmentHeader({ log: id, first: newest.first })], 0);
    await file.sync();
    newest.bytes = SEGMENT_HEADER_BYTES;
  }
  return { id, segments, file, findings };
}

/** The id in `log.json`, or in the oldest segment when that file was lost, or a new one. */
async function identify(files: LogFiles, folder: string, oldest: Segment | undefined): Promise<string> {
  const path = join(folder, 'log.json');
  const kept = await files.readAll(path);
  if (kept) return JSON.parse(kept.toString('utf8')).id;
  let id = randomBytes(16).toString('hex');
  if (oldest) {
    const file = await files.open(oldest.path, 'read');
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await file.read(header, 0);
    await file.close();
    id = decodeSegmentHeader(header)?.log ?? id;
  }
  await files.writeAll(path, Buffer.from(JSON.stringify({ id })));
  return id;
}

/** Loads the index of a sealed segment, or makes it again. */
async function openSealed(files: LogFiles, segment: Segment, id: string): Promise<SegmentFinding[]> {
  const indexPath = indexPathOf(segment);
  const index = await files.readAll(indexPath);
  if (index && segment.loadIndex(index, await files.size(segment.path))) return [];
  const file = await files.open(segment.path, 'read');
  try {
    const { findings } = await segment.scan(file, id);
    await files.writeAll(indexPath, segment.encodeIndex()).catch(() => {});
    return findings.map((finding) => (finding.kind === 'torn-tail' ? { ...finding, kind: 'damaged-rest' } : finding));
  } finally {
    await file.close();
  }
}

async function cutTail(files: LogFiles, file: LogFile, segment: Segment, size: number): Promise<void> {
  const tail = Buffer.alloc(size - segment.bytes);
  await file.read(tail, segment.bytes);
  await files.writeAll(`${segment.path.slice(0, -4)}.${segment.bytes}.torn`, tail);
  await file.truncate(segment.bytes);
  await file.sync();
}
