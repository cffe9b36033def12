/** SCL files as endpoints need them: read once however many IEDs of one are connected, and only what is needed is kept. */
import { readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import {
  addressPart,
  type ConnectedAp,
  checkScl,
  type GooseControl,
  gooseControls,
  type IedModel,
  type LNodeLink,
  lNodeLinks,
  nodeName,
  readScl,
  type Scl,
} from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';

/** An IED of an SCL file, with what other sections of the file say of it. */
export interface IedSource {
  /** Name of the file, for messages. */
  readonly file: string;
  readonly model: IedModel;
  /** All IEDs of the file, this one among them. */
  readonly station: readonly IedModel[];
  /** IP addresses of its access points; more than one where it is connected twice. */
  readonly addresses: readonly string[];
  /** Its GOOSE control blocks. */
  readonly goose: readonly GooseControl[];
  /** Places in the substation section, by logical device and node: `CTRL QA1XCBR1`. */
  readonly places: ReadonlyMap<string, readonly LNodeLink[]>;
}

interface OpenedFile {
  readonly stamp: string;
  readonly ieds: ReadonlyMap<string, IedSource>;
}

/** Files that were read for the site at hand: the loader, the check and every connector need the same one again. */
const opened = new Map<string, OpenedFile>();
/** A gateway has one SCD, seldom a file for each of some devices. */
const MAX_OPENED = 64;

/** The IED of an endpoint. @throws EnerchainError `edge.iec61850.scl` when the file cannot be read or has no such IED */
export function iedOf({ scl, ied }: { readonly scl: string; readonly ied?: string }, folder: string): IedSource {
  const path = isAbsolute(scl) ? scl : join(folder, scl);
  const { ieds } = open(path, scl);
  const names = [...ieds.keys()];
  const told = names.slice(0, 20).join(', ');
  if (ied === undefined && names.length !== 1)
    throw wrong(scl, `has ${names.length} IEDs; \`ied\` must name one of ${told}`);
  const source = ieds.get(ied ?? names[0]!);
  if (!source) throw wrong(scl, `has no IED ${ied}; it has ${told || 'none'}`);
  return source;
}

const wrong = (scl: string, text: string): EnerchainError =>
  new EnerchainError('caller', 'edge.iec61850.scl', `${scl}: ${text}; the endpoint has no points`);

function open(path: string, name: string): OpenedFile {
  let stamp: string;
  let content: Buffer;
  try {
    const { mtimeMs, size, ino } = statSync(path);
    stamp = `${mtimeMs} ${size} ${ino}`;
    const known = opened.get(path);
    if (known?.stamp === stamp) return known;
    content = readFileSync(path);
  } catch (error) {
    throw wrong(name, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const file = { stamp, ieds: sourcesOf(name, content) };
  if (opened.size >= MAX_OPENED) opened.delete(opened.keys().next().value as string);
  opened.set(path, file);
  return file;
}

/** All IEDs of a file. @throws EnerchainError `edge.iec61850.scl` when it is no SCL */
export function sourcesOf(name: string, content: Uint8Array): Map<string, IedSource> {
  const { scl, findings } = readScl(content, { name });
  if (!scl) throw wrong(name, findings.list[0]?.text ?? 'is no SCL');
  const { models } = checkScl(scl, findings, name);
  const all = [...models.values()];
  const aps = Map.groupBy(accessPointsOf(scl), ({ iedName }) => iedName);
  const links = Map.groupBy(lNodeLinks(scl), ({ iedName }) => iedName);
  const goose = Map.groupBy(gooseControls(scl, models), ({ ied }) => ied);
  return new Map(
    [...models].map(([ied, model]) => {
      const own = aps.get(ied) ?? [];
      return [
        ied,
        {
          file: basename(name),
          model,
          station: all,
          addresses: [...new Set(own.flatMap(({ address }) => addressPart(address, 'IP') ?? []))],
          goose: goose.get(ied) ?? [],
          places: Map.groupBy(
            links.get(ied) ?? [],
            ({ ldInst, prefix, lnClass, lnInst }) => `${ldInst} ${nodeName(prefix, lnClass, lnInst)}`,
          ),
        },
      ];
    }),
  );
}

const accessPointsOf = ({ communication }: Scl): ConnectedAp[] =>
  (communication?.subNetworks ?? []).flatMap(({ connectedAps }) => connectedAps);
