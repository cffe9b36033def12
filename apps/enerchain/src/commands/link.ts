/**
 * `enerchain link`: proposes which terminal or equipment each point belongs to, and asks. What a person accepts is stored with
 * why it was proposed; nothing is linked otherwise.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline/promises';
import { iec104Addresses, lNodeLinks, readSclFile } from '@enerchain/iec61850';
import { EnerchainError, type GridModel } from '@enerchain/model';
import { type LinkProposal, LinkProposer } from '../grid/link-proposals.ts';
import { SclProposer, type SclSource } from '../grid/link-scl.ts';
import { pointsOfSystem } from '../grid/op-list.ts';
import { SystemClient } from '../system-client.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export interface LinkOptions {
  readonly data: string;
  readonly scl?: readonly string[];
  readonly out?: string;
  readonly apply?: string;
  readonly min: string;
  readonly ask?: boolean;
  readonly json?: boolean;
}

/** A proposal in a file for review: `accept` is what the person sets. */
interface Reviewed extends LinkProposal {
  readonly accept: boolean;
}

/**
 * @throws EnerchainError `cli.option`, `cli.file` for a review that is none, and what the system says
 */
export async function link(options: LinkOptions): Promise<void> {
  const least = Number(options.min);
  if (!(least >= 0 && least <= 1)) {
    throw new EnerchainError('caller', 'cli.option', `--min is a number from 0 to 1, not ${options.min}`);
  }
  const client = SystemClient.find(options.data);
  if (options.apply !== undefined) {
    await send(client, accepted(options.apply), options.json ?? false);
    return;
  }
  const [points, grid, scl] = [
    await pointsOfSystem(client),
    await client.request<GridModel>('GET', '/grid'),
    await readAll(options.scl ?? []),
  ];
  const [byScl, byName] = [new SclProposer(grid, scl), new LinkProposer(grid)];
  const proposals = points.map((point) =>
    // What SCL says goes before what a name suggests.
    [...byScl.propose(point), ...byName.propose(point)].filter(({ confidence }) => confidence >= least),
  );
  const found = proposals.filter((each) => each.length > 0);
  const placed = points.filter(({ terminal, equipment }) => terminal !== undefined || equipment !== undefined).length;
  if (options.json) for (const proposal of found.flat()) print(JSON.stringify(proposal));
  else {
    print(
      `${points.length} points: ${placed} say where they belong, for ${found.length} there is a proposal, for ${points.length - placed - found.length} none`,
    );
  }
  if (options.out !== undefined) {
    const review: Reviewed[] = found.flat().map((proposal) => ({ accept: false, ...proposal }));
    writeFileSync(options.out, `${JSON.stringify(review, null, 2)}\n`);
    if (!options.json)
      print(`${options.out}: set "accept" to true where you agree, then enerchain link --apply ${options.out}`);
    return;
  }
  if (options.json) return;
  if (options.ask === false || !process.stdin.isTTY) {
    for (const [best, ...others] of found) tell(best!, others);
    print('nothing was linked; --out <file> writes the proposals for review');
    return;
  }
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  const links = await askAll(asking, found).finally(() => asking.close());
  if (links.length > 0) await send(client, links, false);
  else print('nothing was linked');
}

async function readAll(files: readonly string[]): Promise<SclSource> {
  const source: { lNodes: SclSource['lNodes'][number][]; addresses: SclSource['addresses'][number][] } = {
    lNodes: [],
    addresses: [],
  };
  for (const file of files) {
    const { scl, findings } = await readSclFile(file);
    if (!scl) {
      const why = findings.list.find(({ severity }) => severity === 'error')?.text ?? 'it is no SCL';
      throw new EnerchainError('caller', 'cli.file', `${file} cannot be used: ${why}`);
    }
    source.lNodes.push(...lNodeLinks(scl));
    source.addresses.push(...iec104Addresses(scl));
  }
  return source;
}

function tell(
  { pointName, equipmentName, equipmentClass, confidence, reason, terminal }: LinkProposal,
  others: readonly LinkProposal[],
): void {
  print('');
  print(`${pointName}`);
  const end = terminal === undefined ? '' : ', at its terminal';
  print(`  ${(confidence * 100).toFixed(0).padStart(3)} %  ${equipmentClass} ${equipmentName}${end}: ${reason}`);
  for (const [index, other] of others.entries()) {
    print(`  ${index + 2}: ${(other.confidence * 100).toFixed(0)} %  ${other.equipmentClass} ${other.equipmentName}`);
  }
}

/** @returns what was accepted until the end, or until `q` */
export async function askAll(
  asking: Pick<Interface, 'question'>,
  proposals: readonly (readonly LinkProposal[])[],
): Promise<LinkProposal[]> {
  const links: LinkProposal[] = [];
  for (const [at, alternatives] of proposals.entries()) {
    const [best, ...others] = alternatives;
    tell(best!, others);
    const choice = others.length > 0 ? `, 2…${alternatives.length} another` : '';
    const answer = (await asking.question(`  (${at + 1} of ${proposals.length}) link? y yes${choice}, n no, q stop: `))
      .trim()
      .toLowerCase();
    if (answer === 'q') break;
    const chosen =
      answer === 'y' || answer === 'yes'
        ? best
        : /^[0-9]+$/.test(answer)
          ? alternatives[Number(answer) - 1]
          : undefined;
    if (chosen) links.push(chosen);
  }
  return links;
}

/** @throws EnerchainError `cli.file` when it is no review, or accepts two places for one point */
function accepted(file: string): LinkProposal[] {
  let review: unknown;
  try {
    review = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.file', `${file} cannot be read as JSON`, { cause });
  }
  if (
    !Array.isArray(review) ||
    !review.every((each) => typeof each?.point === 'string' && typeof each.accept === 'boolean')
  ) {
    throw new EnerchainError('caller', 'cli.file', `${file} is no list of proposals as --out writes it`);
  }
  const links = (review as Reviewed[]).filter(({ accept }) => accept);
  const seen = new Map<string, Reviewed>();
  for (const each of links) {
    if (seen.has(each.point)) {
      throw new EnerchainError(
        'caller',
        'cli.file',
        `${file} accepts two places for ${each.pointName ?? each.point}; nothing was linked`,
      );
    }
    seen.set(each.point, each);
  }
  return links;
}

async function send(client: SystemClient, links: readonly LinkProposal[], json: boolean): Promise<void> {
  if (links.length === 0) {
    if (!json) print('nothing is accepted in it; nothing was linked');
    return;
  }
  const body = links.map(({ point, equipment, terminal, measurementType, method, confidence, reason }) => ({
    point,
    equipment,
    ...(terminal === undefined ? {} : { terminal }),
    ...(measurementType === undefined ? {} : { measurementType }),
    method: method ?? 'manual',
    confidence: confidence ?? 1,
    reason: reason ?? 'by hand',
  }));
  const { items } = await client.request<{ items: { point: string; gridVersion: number }[] }>('POST', '/grid/links', {
    links: body,
  });
  if (json) for (const item of items) print(JSON.stringify(item));
  else
    print(
      `${items.length} ${items.length === 1 ? 'point' : 'points'} linked in version ${items[0]?.gridVersion} of the grid`,
    );
}
