/**
 * What a person may look at in an IEC 61850 device, through the gateway that talks to it: its model, its control blocks,
 * what it hears by GOOSE, its files. Nothing here changes anything. Everything that is handed out is plain (JSON without
 * loss) and bounded, so that it can travel.
 */
import type { FunctionalConstraint, Plain } from '@enerchain/iec61850';

/** Bounds of one answer; what is beyond is cut off, and `truncated` says so, or refused. */
export const INSPECTION_LIMITS = {
  /** Logical nodes of a model. */
  nodes: 20_000,
  /** Attributes in the types of a model. */
  attributes: 100_000,
  controlBlocks: 2_000,
  /** Entries of a folder. */
  files: 5_000,
  /** Octets of a file. */
  fileSize: 64 << 20,
  /** References of one read. */
  references: 200,
} as const;

export interface DeviceInspection {
  /** The tree of the device, with types once each. What is not connected is told from the SCL alone. */
  model(): Promise<InspectedModel>;
  /** Report, GOOSE, log, setting group and sampled value control blocks, with what the device says of them now. */
  controlBlocks(): Promise<readonly InspectedControlBlock[]>;
  /** What this gateway hears of the device by GOOSE; empty where it does not listen. */
  goose(): Promise<readonly InspectedGoose[]>;
  /**
   * What a folder of the device holds. @param path '' for what the device tells without being asked for a folder
   * @throws EnerchainError `edge.iec61850.away` (environment) while the device is not connected, `access.*`, MmsRefusal
   */
  files(path: string): Promise<InspectedFiles>;
  /**
   * A file in the pieces in which the device gives it; it is closed there when the caller stops.
   * @param limit octets after which it ends with an error; at most `INSPECTION_LIMITS.fileSize`
   * @throws EnerchainError `edge.iec61850.away`, `edge.iec61850.fileSize` (peer) when it has more than `limit` octets
   */
  file(path: string, limit?: number): AsyncIterable<Uint8Array>;
  /**
   * Values as they are now; each a value or why there is none, in the order of the question.
   * @throws EnerchainError `edge.iec61850.away`, `edge.iec61850.references` (caller) when there are too many
   */
  read(references: readonly InspectedReference[]): Promise<readonly InspectedValue[]>;
}

export interface InspectedModel {
  readonly ied: string;
  readonly desc?: string;
  readonly manufacturer?: string;
  readonly type?: string;
  readonly configVersion?: string;
  /** Name of the SCL file. */
  readonly scl: string;
  readonly connected: boolean;
  readonly devices: readonly InspectedDevice[];
  /** By the id that nodes have as `type`. */
  readonly types: Readonly<Record<string, readonly InspectedObject[]>>;
  /** What the device has other than its SCL, in plain sentences; found by what was asked of it so far. */
  readonly deviations: readonly string[];
  readonly truncated: boolean;
}

export interface InspectedDevice {
  /** `BCU1CTRL`. */
  readonly name: string;
  readonly inst: string;
  readonly desc?: string;
  readonly nodes: readonly InspectedNode[];
}

export interface InspectedNode {
  /** `QA1XCBR1`. */
  readonly name: string;
  readonly lnClass: string;
  readonly desc?: string;
  /** Key of `types`; absent when the file does not have the type. */
  readonly type?: string;
  /** Where its LNode stands in the substation: `S1/110 kV/Q01/QA1`. */
  readonly places?: readonly string[];
  /** Names of its data sets, with the number of members. */
  readonly dataSets?: Readonly<Record<string, number>>;
}

/** A data object, or a part of one. */
export interface InspectedObject {
  readonly name: string;
  readonly cdc: string;
  readonly desc?: string;
  readonly objects?: readonly InspectedObject[];
  readonly attributes?: readonly InspectedAttribute[];
  /** Elements of an array. */
  readonly count?: number;
}

export interface InspectedAttribute {
  readonly name: string;
  readonly fc: FunctionalConstraint;
  /** Struct has `parts`, Enum has `words`. */
  readonly bType: string;
  readonly parts?: readonly InspectedAttribute[];
  readonly words?: Readonly<Record<string, string>>;
  readonly count?: number;
}

export interface InspectedControlBlock {
  /** `BCU1CTRL/LLN0.BR.brcb01`: the constraint tells the kind. */
  readonly reference: string;
  readonly kind: 'BRCB' | 'URCB' | 'GoCB' | 'LCB' | 'SGCB' | 'MSVCB' | 'USVCB';
  /** `BCU1CTRL/LLN0.Positions`. */
  readonly dataSet?: string;
  /** As the SCL has it. */
  readonly confRev?: number;
  /** What this gateway makes of it. */
  readonly use?: {
    readonly state: 'subscribed' | 'failed' | 'unused';
    /** Why it failed. */
    readonly detail?: string;
    readonly reports?: number;
    /** Of the last report, nanoseconds since the Unix epoch, as a decimal string. */
    readonly lastReport?: string;
    /** The last one that is safely kept, hex. */
    readonly entryId?: string;
  };
  /** As the device has it, by attribute (RptEna, Owner, EntryID …); absent while it is not connected, or when it would not say. */
  readonly now?: Readonly<Record<string, Plain>>;
  readonly error?: string;
}

export interface InspectedGoose {
  /** `BCU1CTRL/LLN0.GO.gcb01`. */
  readonly reference: string;
  /** Name of the link on which it is heard. */
  readonly interface: string;
  readonly goId?: string;
  readonly appId: number;
  /** `01-0c-cd-01-00-01`. */
  readonly destination: string;
  readonly dataSet?: string;
  readonly state: 'never' | 'alive' | 'lost';
  /** Why what comes is not taken: another confRev, another data set, ndsCom … */
  readonly trouble?: string;
  readonly stNum?: number;
  readonly sqNum?: number;
  readonly test?: boolean;
  readonly ndsCom?: boolean;
  /** As received. */
  readonly confRev?: number;
  /** As the SCL has it. */
  readonly expectedConfRev: number;
  /** Milliseconds that the last frame is good for. */
  readonly timeAllowedToLive?: number;
  /** Of the last frame and of the last change of state, nanoseconds since the Unix epoch, as decimal strings. */
  readonly lastReceived?: string;
  readonly lastChange?: string;
  readonly counters: Readonly<Record<string, number>>;
}

export interface InspectedFiles {
  readonly entries: readonly {
    /** With folders, parted by slashes, as `file` takes it. */
    readonly name: string;
    /** Octets. */
    readonly size: number;
    /** GeneralizedTime as the device gives it. */
    readonly lastModified?: string;
  }[];
  readonly truncated: boolean;
}

export interface InspectedReference {
  /** `BCU1CTRL/QA1XCBR1.Pos` or `BCU1CTRL/QA1XCBR1.Pos.stVal`. */
  readonly reference: string;
  readonly fc: FunctionalConstraint;
}

export type InspectedValue = InspectedReference & ({ readonly value: Plain } | { readonly error: string });
