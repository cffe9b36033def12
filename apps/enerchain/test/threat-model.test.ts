/** Keeps docs/threat-model.yaml honest: complete by STRIDE, and every mitigation shown by a test that is there. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../../../', import.meta.url));

interface Threat {
  readonly threat: string;
  readonly technique: string;
  readonly mitigation?: string;
  /** `file`, `folder`, or `file: part of the name of a test`. */
  readonly tests?: readonly string[];
  /** Why nothing is done about it. */
  readonly accepted?: string;
}
const STRIDE = ['S', 'T', 'R', 'I', 'D', 'E'] as const;
type Flow = {
  readonly from: string;
  readonly to: string;
  readonly carries: string;
  readonly assets: readonly string[];
} & {
  readonly [letter in (typeof STRIDE)[number]]?: readonly Threat[];
};
interface Model {
  readonly techniques: Readonly<Record<string, string>>;
  readonly assets: Readonly<Record<string, string>>;
  readonly zones: Readonly<Record<string, string>>;
  readonly elements: Readonly<Record<string, { readonly name: string; readonly zone: string }>>;
  readonly flows: Readonly<Record<string, Flow>>;
}

const model = parse(readFileSync(join(root, 'docs', 'threat-model.yaml'), 'utf8')) as Model;
const flows = Object.entries(model.flows);
const threats = flows.flatMap(([flow, each]) =>
  STRIDE.flatMap((letter) => (each[letter] ?? []).map((threat) => ({ ...threat, at: `${flow}.${letter}` }))),
);

/** @returns what is wrong with a reference to a test, if anything */
function wrongWith(reference: string): string | undefined {
  const [path = '', name] = reference.split(': ', 2);
  const file = join(root, path);
  if (!existsSync(file)) return `${path} is not there`;
  if (statSync(file).isDirectory()) {
    return globSync('**/*.test.ts', { cwd: file }).length > 0 ? undefined : `${path} holds no test`;
  }
  if (!/\.test\.ts$/.test(path)) return `${path} is no test`;
  return name === undefined || readFileSync(file, 'utf8').includes(name) ? undefined : `${path} has no test '${name}'`;
}

describe('the threat model', () => {
  it('knows the ends and assets of every flow', () => {
    for (const [name, { from, to, assets }] of flows) {
      expect(model.elements, name).toHaveProperty(from);
      expect(model.elements, name).toHaveProperty(to);
      for (const asset of assets) expect(model.assets, name).toHaveProperty(asset);
    }
    for (const { name, zone } of Object.values(model.elements)) expect(model.zones, name).toHaveProperty(zone);
  });

  it('says something about every letter of STRIDE for every flow', () => {
    const silent = flows.flatMap(([name, flow]) =>
      STRIDE.filter((letter) => !flow[letter]?.length).map((l) => `${name}.${l}`),
    );
    expect(silent).toEqual([]);
  });

  it('touches every asset and every element', () => {
    const touched = new Set(flows.flatMap(([, flow]) => flow.assets));
    expect(Object.keys(model.assets).filter((asset) => !touched.has(asset))).toEqual([]);
    const ends = new Set(flows.flatMap(([, { from, to }]) => [from, to]));
    const alone = Object.keys(model.elements).filter((each) => !ends.has(each) && each !== 'authenticator');
    expect(alone).toEqual([]);
  });

  it('names a technique of ATT&CK for ICS for every threat', () => {
    expect(
      threats.filter(({ technique }) => !(technique in model.techniques)).map(({ at, threat }) => `${at}: ${threat}`),
    ).toEqual([]);
  });

  it('answers every threat with a mitigation and its test, or says why it is accepted', () => {
    const open = threats.filter(
      ({ mitigation, tests, accepted }) => (accepted === undefined) === (mitigation === undefined || !tests?.length),
    );
    expect(open.map(({ at, threat }) => `${at}: ${threat}`)).toEqual([]);
  });

  it('names only tests that are there', () => {
    const wrong = threats.flatMap(({ at, tests = [] }) =>
      tests.flatMap((test) => {
        const why = wrongWith(test);
        return why === undefined ? [] : [`${at}: ${why}`];
      }),
    );
    expect(wrong).toEqual([]);
  });
});
