/** Devices as their gateways see them now. Nothing of it is stored or receipted. */
import type {
  ControlBlocksView,
  FilesView,
  GooseView,
  IedIdentity,
  IedModelView,
  ReadItem,
  ReadView,
} from '@enerchain/model';
import { API, ApiError, call, query } from './client.ts';

const path = (source: string, endpoint: string, below = ''): string =>
  `/sources/${encodeURIComponent(source)}/endpoints/${encodeURIComponent(endpoint)}/ied${below}`;

export const devicesApi = {
  identity: (source: string, endpoint: string) => call<IedIdentity>('GET', path(source, endpoint)),
  model: (source: string, endpoint: string) => call<IedModelView>('GET', path(source, endpoint, '/model')),
  controlBlocks: (source: string, endpoint: string) =>
    call<ControlBlocksView>('GET', path(source, endpoint, '/control-blocks')),
  goose: (source: string, endpoint: string) => call<GooseView>('GET', path(source, endpoint, '/goose')),
  files: (source: string, endpoint: string, folder?: string) =>
    call<FilesView>('GET', path(source, endpoint, `/files${query({ folder })}`)),
  read: (source: string, endpoint: string, items: readonly ReadItem[]) =>
    call<ReadView>('POST', path(source, endpoint, '/read'), { items }),
  /** A whole file. @throws ApiError, also when it was cut off on its way */
  file: async (source: string, endpoint: string, name: string): Promise<Blob> => {
    let response: Response;
    try {
      response = await fetch(`${API}${path(source, endpoint, `/file${query({ name })}`)}`, {
        credentials: 'same-origin',
      });
    } catch {
      throw new ApiError(0, 'The centre does not answer.');
    }
    if (!response.ok) {
      const problem = (await response.json().catch(() => ({}))) as { detail?: string };
      throw new ApiError(response.status, problem.detail ?? `The centre answered ${response.status}.`);
    }
    try {
      return await response.blob();
    } catch {
      throw new ApiError(0, `${name} broke off on its way; nothing was saved.`);
    }
  },
};
