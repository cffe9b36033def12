/** Files that a site names for an endpoint: certificates, keys, passwords. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EnerchainError } from '@enerchain/model';

/**
 * @param folder of the site file, from which relative paths start
 * @throws EnerchainError `edge.endpoint.file` (environment) when it cannot be read: the endpoint is not started
 */
export function readNamedFile(endpoint: string, folder: string, file: string): Buffer {
  try {
    return readFileSync(resolve(folder, file));
  } catch (cause) {
    const text = `endpoint '${endpoint}': ${file} cannot be read; the endpoint is not started`;
    throw new EnerchainError('environment', 'edge.endpoint.file', text, { cause });
  }
}
