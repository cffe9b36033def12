/** What a device was set up with, where both sides say it: the first sign that the SCL file is of another time. */
import { configuredValue, type Iec61850Client, type IedModel, variableOf } from '@enerchain/iec61850';

/**
 * Compares `NamPlt.configRev` of each logical device (IEC 61850-7-3, LPL) with the file.
 * @returns sentences that name what differs
 * @throws what ended the association
 */
export async function otherRevisions(client: Iec61850Client, { devices }: IedModel): Promise<string[]> {
  const asked = devices.flatMap((device) => {
    const node = device.nodes.find(({ ln }) => ln.lnClass === 'LLN0');
    const expected = node && configuredValue(node, ['NamPlt', 'configRev']);
    return expected ? [{ reference: `${device.name}/LLN0.NamPlt.configRev`, expected }] : [];
  });
  if (asked.length === 0) return [];
  const values = await client.readMany(asked.map(({ reference }) => variableOf(reference, 'DC')));
  return asked.flatMap(({ reference, expected }, index) => {
    const value = values[index];
    if (value === undefined || value instanceof Error || !('value' in value)) return [];
    const own = String(value.value);
    return own === expected ? [] : [`${reference} is '${own}', in the SCL it is '${expected}'`];
  });
}
