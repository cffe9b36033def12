/**
 * A page of the control room: a folder with an ES module and what it imports, served by the service below its own prefix.
 * TypeScript is served with its types stripped, the way Node runs it: there is no build.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import type { HttpResponse } from '@enerchain/link';
import { EnerchainError } from '@enerchain/model';
import { answer } from './http.ts';

export interface PageOptions {
  /** Lower case, digits and `-`; the address in the control room is `#/page/<id>`. */
  readonly id: string;
  readonly title: string;
  /** Path data of a drawing of 20 × 20, drawn with a line. */
  readonly icon: string;
  /** Folder with the files of the page: `.ts`, `.js`, `.css`, `.svg`. */
  readonly folder: string;
  /** The file in it that exports `mount(element, context)`. */
  readonly module: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface PageFiles {
  /** Path of the module below the prefix. It names the content, so that a browser never shows an old page. */
  readonly module: string;
  /** @param path below the prefix, without query */
  answer(path: string): HttpResponse | undefined;
}

/**
 * Reads the page once.
 * @throws EnerchainError `service.page` (fault caller) when a file cannot be read or the module is not there
 */
export function pageFiles({ id, folder, module }: Pick<PageOptions, 'id' | 'folder' | 'module'>): PageFiles {
  const files = new Map<string, HttpResponse>();
  const hash = createHash('sha256');
  try {
    for (const name of readdirSync(folder).sort()) {
      const type = TYPES[extname(name)];
      if (!type || name.endsWith('.d.ts')) continue;
      const text = readFileSync(join(folder, name), 'utf8');
      hash.update(name).update(text);
      files.set(name, answer(200, type, name.endsWith('.ts') ? stripTypeScriptTypes(text) : text));
    }
    if (!files.has(module)) throw new Error(`there is no file ${module}`);
  } catch (cause) {
    throw new EnerchainError('caller', 'service.page', `the page in ${folder} cannot be read`, { cause });
  }
  const base = `/page/${id}/${hash.digest('hex').slice(0, 12)}/`;
  return {
    module: base + module,
    answer: (path) => (path.startsWith(base) ? files.get(path.slice(base.length)) : undefined),
  };
}
