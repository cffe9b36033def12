/** Reads the ingest log of a centre that does not run: for auditors, and for tests that count. */
import { join } from 'node:path';
import { lockFolder } from '@enerchain/host';
import { decodeLogged } from '../ingest/decode.ts';
import type { LogReader } from '../ports.ts';
import { IngestLog } from './log.ts';

export interface OfflineLog extends LogReader {
  close(): Promise<void>;
}

/**
 * @param dataDir the centre's folder
 * @throws EnerchainError `host.folder.in-use` while a centre uses the folder
 */
export async function openLogReader(dataDir: string): Promise<OfflineLog> {
  const lock = lockFolder(dataDir, 'a centre');
  try {
    const log = await IngestLog.open({ folder: join(dataDir, 'log'), decode: decodeLogged });
    return {
      bounds: () => log.bounds(),
      read: (from, signal) => log.read(from, signal),
      close: () => log.close().finally(() => lock.release()),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
