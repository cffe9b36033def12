/** The files of a site that are measured: configuration and executables are separate claims, so they have names of their own. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** Name of the site file as a component of the measurement list. */
export const SITE_COMPONENT = 'config:site';

/**
 * Path by name of the component: the site file (`config:site`), its point lists and SCL files (`config:site/<as written>`), and what it
 * says under `trust.measure` (`device:<as written>`). A file that cannot be read as YAML is measured all the same.
 */
export function measuredFiles(siteFile: string): Map<string, string> {
  const files = new Map([[SITE_COMPONENT, resolve(siteFile)]]);
  const folder = dirname(resolve(siteFile));
  let content: { endpoints?: unknown; trust?: { measure?: unknown } } | null;
  try {
    content = parse(readFileSync(siteFile, 'utf8')) as typeof content;
  } catch {
    return files;
  }
  for (const endpoint of listOf(content?.endpoints)) {
    const { pointsFile, scl } = (endpoint ?? {}) as { pointsFile?: unknown; scl?: unknown };
    for (const file of [pointsFile, scl])
      if (typeof file === 'string') files.set(`${SITE_COMPONENT}/${file}`, resolve(folder, file));
  }
  for (const file of listOf(content?.trust?.measure)) {
    if (typeof file === 'string') files.set(`device:${file}`, resolve(folder, file));
  }
  return files;
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
