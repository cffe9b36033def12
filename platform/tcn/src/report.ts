/**
 * What a node tells the centre over its link, and what the centre may ask of it. Requests of the link, params and results in
 * CBOR:
 *
 * - `tcn.gossip` (source → centre): a report as below → SHA-256 of the bundle in force, bstr, or null when there is none
 * - `tcn.bundle` (source → centre): null → [bundle in force, DER of the certificate that signed it], or null
 * - `tcn.order` (centre → source): the signed release, bstr → true when it was new
 * - `tcn.evidence` (centre → source): SHA-256 of evidence, bstr → the evidence, bstr, or null when it is not kept any more
 * - `tcn.attest` (centre → source): name of a neighbour, or null for all → null; it is attested at once
 */
import type { NeighbourView, NodeRole, NodeTrust, Reaction, Tier, Trustworthiness } from '@enerchain/attestation';
import { REACTIONS, TRUSTWORTHINESS } from '@enerchain/attestation';
import { EnerchainError } from '@enerchain/model';
import { CborReader, type CborValue, encodeCbor } from '@enerchain/trust';
import { MAX_STATEMENT } from './message.ts';
import { bounded, readList } from './tap/request.ts';

export const TCN_METHODS = {
  gossip: 'tcn.gossip',
  bundle: 'tcn.bundle',
  order: 'tcn.order',
  evidence: 'tcn.evidence',
  attest: 'tcn.attest',
} as const;

export interface TcnReport {
  /** Who reports. */
  readonly node: string;
  /** Its neighbours: the ways of the network. */
  readonly neighbours: readonly { readonly name: string; readonly connected: boolean }[];
  /** What it thinks of every node it knows something of. */
  readonly nodes: readonly NodeTrust[];
  /** Statements (COSE_Sign1) that are new since the last report: its own, those of its neighbours, and what stands. */
  readonly statements: readonly Uint8Array[];
  /** DER of the certificates whose keys signed them. */
  readonly certificates: readonly Uint8Array[];
}

export const REPORT_LIMITS = { neighbours: 256, nodes: 4096, views: 64, statements: 256, certificates: 256 } as const;

const ROLES: readonly NodeRole[] = ['edge', 'service', 'centre', 'network'];
const TIERS: readonly Tier[] = ['software', 'tpm'];
const STATUS = Object.keys(TRUSTWORTHINESS) as Trustworthiness[];
const VIEWS = [...STATUS, 'silent'] as const;

export const tcnReportValue = (report: TcnReport): CborValue => [
  1,
  report.node,
  report.neighbours.map(({ name, connected }) => [name, connected]),
  report.nodes.map(nodeValue),
  report.statements,
  report.certificates,
];

const nodeValue = (node: NodeTrust): CborValue => [
  node.node,
  ROLES.indexOf(node.role),
  node.tier === undefined ? null : TIERS.indexOf(node.tier),
  STATUS.indexOf(node.status),
  node.trustedUntil ?? null,
  REACTIONS.indexOf(node.reaction),
  node.reason.slice(0, 1000),
  node.since,
  node.neighbours.map((view) => [view.node, VIEWS.indexOf(view.status), view.at ?? null]),
];

/** @throws EnerchainError `tcn.report` or `cbor.malformed` (fault peer) */
export function readTcnReport(value: CborValue): TcnReport {
  return decodeTcnReport(encodeCbor(value));
}

/** @throws EnerchainError `tcn.report` or `cbor.malformed` (fault peer) */
export function decodeTcnReport(bytes: Uint8Array): TcnReport {
  const reader = new CborReader(bytes);
  reader.array('report', 6);
  if (reader.uint('version') !== 1)
    throw new EnerchainError('unsupported', 'tcn.report', 'a report of another version');
  const node = reader.text('node', 64);
  const neighbours = readList(reader, 'neighbours', REPORT_LIMITS.neighbours, () => {
    reader.array('neighbour', 2);
    const name = reader.text('neighbour', 64);
    return { name, connected: readBoolean(reader) };
  });
  const nodes = readList(reader, 'nodes', REPORT_LIMITS.nodes, () => readNode(reader));
  const statements = readList(reader, 'statements', REPORT_LIMITS.statements, () =>
    bounded(reader.bytes('statement'), 'a statement', MAX_STATEMENT).slice(),
  );
  const certificates = readList(reader, 'certificates', REPORT_LIMITS.certificates, () =>
    bounded(reader.bytes('certificate'), 'a certificate', 16_384).slice(),
  );
  reader.end();
  return { node, neighbours, nodes, statements, certificates };
}

function readNode(reader: CborReader): NodeTrust {
  reader.array('state of a node', 9);
  const node = reader.text('node', 64);
  const role = ROLES[reader.uint('role', ROLES.length - 1)]!;
  const tier = readOptional(reader, () => TIERS[reader.uint('tier', TIERS.length - 1)]!);
  const status = STATUS[reader.uint('status', STATUS.length - 1)]!;
  const trustedUntil = readOptional(reader, () => reader.int64('end of trust'));
  const reaction: Reaction = REACTIONS[reader.uint('reaction', REACTIONS.length - 1)]!;
  const reason = reader.text('reason', 4000);
  const since = reader.int64('time');
  const neighbours = readList(reader, 'views', REPORT_LIMITS.views, (): NeighbourView => {
    reader.array('view', 3);
    return {
      node: reader.text('neighbour', 64),
      status: VIEWS[reader.uint('status', VIEWS.length - 1)]!,
      at: readOptional(reader, () => reader.int64('time')),
    };
  });
  return { node, role, tier, status, trustedUntil, reaction, reason, since, neighbours };
}

/** Null stands for what is not there. */
function readOptional<T>(reader: CborReader, read: () => T): T | undefined {
  if (reader.peek() !== 7) return read();
  if (reader.value() !== null) throw new EnerchainError('peer', 'tcn.report', 'a report has a value of a wrong type');
  return undefined;
}

function readBoolean(reader: CborReader): boolean {
  const value = reader.value();
  if (typeof value !== 'boolean')
    throw new EnerchainError('peer', 'tcn.report', 'a report has a value of a wrong type');
  return value;
}
