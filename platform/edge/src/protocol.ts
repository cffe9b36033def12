/**
 * What a connector declares about itself, so that the site file can be read and checked without loading it. Adding a
 * protocol is one folder under `connectors/` with such a declaration, and one line in `protocols.ts`.
 */
import type { PointKind } from '@enerchain/model';
import type { TSchema } from 'typebox';
import type { Connector, ConnectorHost } from './connector.ts';
import type { FieldSpec, FieldValue } from './site/fields.ts';
import type { BoundPoint, EndpointSite } from './site/site.ts';

/** The values of one point's row, by field name; absent where the cell was empty. */
export type PointRow = ReadonlyMap<string, FieldValue>;

/** What a protocol makes of a row. */
export interface Addressed {
  /** Canonical text of the address, the third part of a derived mRID. */
  readonly address: string;
  readonly access: 'read' | 'control';
  /** Defaults, used where the row says nothing. */
  readonly kind?: PointKind;
  readonly cdc?: string;
  /** The address as the connector wants it at run time. */
  readonly target: unknown;
}

export interface ProtocolSpec {
  /** As written under `protocol:` in the site file. */
  readonly name: string;
  /** Keys an endpoint of this protocol has beside the common ones: a typebox object schema per key. */
  readonly settings: Readonly<Record<string, TSchema>>;
  /** Columns of the address in a point list. */
  readonly pointFields: readonly FieldSpec[];
  /**
   * Points that follow from the settings, as rows by field name; what the site file and its lists say of one with the same
   * address goes on top. @throws when what the settings name cannot be read
   */
  rows?(settings: Readonly<Record<string, unknown>>, folder: string): readonly Readonly<Record<string, string>>[];
  /** Reads the address; `problem` reports what is wrong with a field and the row is then left out. */
  address(
    row: PointRow,
    settings: Readonly<Record<string, unknown>>,
    problem: (field: string, message: string) => void,
  ): Addressed | undefined;
  /** Checks that hold for the endpoint as a whole. */
  check?(
    settings: Readonly<Record<string, unknown>>,
    points: readonly BoundPoint[],
    problem: (field: string, message: string) => void,
  ): void;
  /** Loads the connector's code and makes one; it does nothing before `start`. */
  create(endpoint: EndpointSite, host: ConnectorHost): Promise<Connector>;
}
