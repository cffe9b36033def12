/**
 * Fails when a package imports from a layer above its own, from a package it does not declare, or through another
 * package's inner files. The order of the layers is the architecture; this is what keeps it true.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Lower number = lower layer. `benchmarks` and `interop` stand outside the house and may look at all of it. */
const LAYERS: Record<string, number> = { standards: 0, platform: 1, services: 2, apps: 3, benchmarks: 4, interop: 4 };

/** Inside two layers the packages have an order of their own; those of one rank (service, edge, centre) never import each other. */
const ORDER: Record<string, Record<string, number>> = {
  standards: { ethernet: 0, transport: 0, xml: 0, cim: 1, iec60870: 1, mms: 1, pki: 1, tpm2: 1, iec61850: 2 },
  platform: {
    model: 0,
    host: 1,
    trust: 1,
    attestation: 2,
    link: 2,
    tcn: 3,
    provenance: 3,
    service: 4,
    edge: 4,
    centre: 4,
    smgwa: 4,
  },
};

/** Where tests of all packages find published data. */
const SHARED_BY_TESTS = join('tools', 'reference-data.ts');

interface Package {
  readonly name: string;
  readonly folder: string;
  readonly layer: number;
  readonly declared: ReadonlySet<string>;
}

const patterns: string[] = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces;
const packages = new Map<string, Package>();
for (const manifest of globSync(
  patterns.map((pattern) => `${pattern}/package.json`),
  { cwd: root },
)) {
  const folder = dirname(manifest);
  const json = JSON.parse(readFileSync(join(root, manifest), 'utf8'));
  const layer = LAYERS[folder.split(sep)[0] as string];
  if (layer === undefined) throw new Error(`${folder}: not in a known layer`);
  packages.set(json.name, {
    name: json.name,
    folder,
    layer,
    declared: new Set(
      Object.keys({
        ...json.dependencies,
        ...json.devDependencies,
        ...json.optionalDependencies,
        ...json.peerDependencies,
      }),
    ),
  });
}

const rootDev = new Set(Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies));
const importPattern = /(?:^|[\s;(])(?:import|export)\s*(?:[^'"()]*?\sfrom\s*)?\(?\s*['"]([^'"\n]+)['"]/g;
const problems: string[] = [];

for (const pkg of packages.values()) {
  for (const file of globSync(`${pkg.folder}/**/*.{ts,tsx,mts,mjs}`, {
    cwd: root,
    exclude: (name) => /node_modules|\.peers|dist/.test(name),
  })) {
    const isTest =
      /(^|[\\/])(test|examples)[\\/]/.test(relative(pkg.folder, file)) ||
      /(config|\.test)\.ts$/.test(file) ||
      pkg.layer === LAYERS.interop;
    for (const [, specifier] of readFileSync(join(root, file), 'utf8').matchAll(importPattern)) {
      const problem = check(pkg, file, specifier as string, isTest);
      if (problem) problems.push(`${file}: ${problem}`);
    }
  }
}

function check(pkg: Package, file: string, specifier: string, isTest: boolean): string | undefined {
  if (specifier.startsWith('node:') || specifier.startsWith('#')) return undefined;
  if (specifier.startsWith('.')) {
    const target = relative(root, resolve(root, dirname(file), specifier));
    if (isTest && target === SHARED_BY_TESTS) return undefined;
    if (!target.startsWith(pkg.folder + sep) && pkg.layer < 4) {
      return `'${specifier}' leaves the package; import the other package by its name`;
    }
    return undefined;
  }
  const name = specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : (specifier.split('/')[0] as string);
  const target = packages.get(name);
  if (!target) {
    return pkg.declared.has(name) || (isTest && rootDev.has(name)) || /^virtual:/.test(name)
      ? undefined
      : `'${name}' is not in the package's dependencies`;
  }
  if (target.layer > pkg.layer) return `'${name}' lies in a layer above`;
  if (target === pkg) return undefined;
  if (!pkg.declared.has(name) && !isTest) return `'${name}' is not in the package's dependencies`;
  const order = pkg.layer === target.layer && !isTest ? ORDER[pkg.folder.split(sep)[0]!] : undefined;
  const rank = (of: Package): number => order?.[of.folder.split(sep)[1]!] ?? 9;
  if (order && rank(target) >= rank(pkg)) {
    return `'${name}' is not below '${pkg.name}' (order: ${Object.keys(order).join(', ')})`;
  }
  return undefined;
}

if (problems.length > 0) {
  console.error(`${problems.length} imports break the layers:\n  ${problems.join('\n  ')}`);
  process.exit(1);
}
console.log(`layers: ${packages.size} packages, every import points down`);
