/** The reports that the suites leave in `.reports/`, as vitest's JSON reporter writes them. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Suites in the order in which `.ci/run` runs them. */
export const SUITES = ['fast', 'slow', 'interop'];

/** The name under which the second run of a suite's failed files reports. */
export const againOf = (suite) => `${suite}-again`;

export const reportFile = (name) => fileURLToPath(new URL(`../.reports/${name}.json`, import.meta.url));

/** @returns undefined when there is none */
export function readReport(name) {
  const path = reportFile(name);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** Files of which a test failed, or that could not be loaded. */
export const failedFiles = (name) =>
  (readReport(name)?.testResults ?? []).filter(({ status }) => status === 'failed').map((file) => file.name);
