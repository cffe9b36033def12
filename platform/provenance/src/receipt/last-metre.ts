/** How the value came to its source: the device, its address, and whether the last metre is protected. */
import { readSiteColumn } from '@enerchain/link';
import { type Binding, describeError, type Endpoint, type Mrid, type Point } from '@enerchain/model';
import type { CheckedEntry } from './entries.ts';
import { BrokenLink, type Finding } from './finding.ts';

/** What a site document says of one point. */
export interface BoundPoint {
  readonly point: Point;
  readonly bindings: readonly Binding[];
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

/** Puts together what the columns say of a point. @throws BrokenLink when it is not there, or not all of one document */
export function boundPoint(columns: readonly CheckedEntry[], source: string, mRID: Mrid): BoundPoint {
  const broken = (code: string, text: string, state?: 'missing') => new BrokenLink('device', code, text, state);
  const [first] = columns;
  if (!first)
    throw broken('receipt.site.missing', `the receipt does not say over which device ${source} has it`, 'missing');
  const endpoints = new Map<string, Endpoint>();
  let found: { point: Point; bindings: Binding[] } | undefined;
  for (const { header, signed, column } of columns) {
    if (header.kind !== 'site' || header.source !== source || Buffer.compare(signed, first.signed) !== 0) {
      throw broken('receipt.site', `the description of the device is not that of one document of ${source}`);
    }
    let part: ReturnType<typeof readSiteColumn>;
    try {
      part = readSiteColumn(column);
    } catch (error) {
      throw broken('receipt.site', `the description of the device cannot be read: ${describeError(error)}`);
    }
    const { points = [], bindings = [] } =
      part.kind === 'document' ? part.document : part.kind === 'points' ? part : {};
    const point = points.find((each) => each.mRID === mRID);
    if (point) found = { point, bindings: bindings.filter((each) => each.point === mRID) };
    const described =
      part.kind === 'document' ? part.document.endpoints : part.kind === 'endpoint' ? [part.endpoint] : [];
    for (const endpoint of described) endpoints.set(endpoint.id, endpoint);
  }
  if (!found) throw broken('receipt.site', `the document of ${source} in the receipt does not name the point`);
  return { ...found, endpoints };
}

/** Names of protocols as people write them. */
const PROTOCOLS: Readonly<Record<string, string>> = { iec104: 'IEC 60870-5-104', mqtt: 'MQTT' };

/** The sources from which a point is calculated, as its endpoints say. */
export const inputsOf = ({ bindings, endpoints }: BoundPoint): readonly string[] => [
  ...new Set(bindings.flatMap(({ endpoint }) => endpoints.get(endpoint)?.inputs ?? [])),
];

/** What is known of the way from the device to its source. @throws BrokenLink when nothing is said of a bound device */
export function deviceFinding({ point, bindings, endpoints }: BoundPoint, source: string): Finding {
  const link = 'device' as const;
  if (bindings.length === 0) {
    return {
      link,
      state: 'ok',
      code: 'device.none',
      text: `'${point.name}' is made by ${source} itself; no device stands behind it.`,
    };
  }
  const ways = bindings.map(({ endpoint: id, address }) => {
    const endpoint = endpoints.get(id);
    if (!endpoint) {
      throw new BrokenLink(
        link,
        'receipt.site.endpoint',
        `nothing in the receipt describes the device ${id}`,
        'missing',
      );
    }
    const protocol = PROTOCOLS[endpoint.protocol] ?? endpoint.protocol;
    const { manufacturer, model, serialNumber } = endpoint.asset ?? {};
    const asset = [manufacturer, model, serialNumber && `serial number ${serialNumber}`].filter(Boolean).join(' ');
    const device = `${endpoint.name ?? id}${asset ? ` (${asset})` : ''}`;
    return {
      secure: endpoint.securityProfile === 'tls',
      text: `${protocol} from ${device}, address ${address}`,
      protocol,
    };
  });
  const plain = ways.filter(({ secure }) => !secure);
  const text = `'${point.name}' comes over ${ways.map((way) => way.text).join(' or ')}.`;
  const details = { endpoints: bindings.map(({ endpoint }) => endpoint).join(', '), secured: plain.length === 0 };
  if (plain.length === 0) {
    return { link, state: 'ok', code: 'device.tls', text: `${text} The connection is protected by TLS.`, details };
  }
  const why = `The connection is plain ${plain[0]!.protocol}: whoever has access to the last metre can change values on it, and no signature shows that.`;
  return { link, state: 'weak', code: 'device.plain', text: `${text} ${why}`, details };
}
