/** What a TPM says of itself: TPM_PT (Part 2 § 6.13). */

export const PROPERTY = {
  fixed: 0x100,
  revision: 0x102,
  manufacturer: 0x105,
  vendor: 0x106,
  firmware: 0x10b,
  nvBuffer: 0x12c,
} as const;

export interface TpmIdentity {
  /** `2.0`. */
  readonly family: string;
  /** Revision of the specification, `1.59`. */
  readonly revision: string;
  /** TCG vendor id: `IBM`, `INTC`, `STM`. */
  readonly manufacturer: string;
  readonly vendor: string;
  readonly firmwareVersion: bigint;
}

export function identityOf(properties: ReadonlyMap<number, number>): TpmIdentity {
  const at = (property: number) => properties.get(property) ?? 0;
  /** Four characters in each property. */
  const text = (...list: number[]) =>
    Buffer.from(list.flatMap((each) => [24, 16, 8, 0].map((shift) => (at(each) >>> shift) & 0xff)))
      .toString('latin1')
      .replaceAll('\0', '')
      .trim();
  return {
    family: text(PROPERTY.fixed),
    revision: (at(PROPERTY.revision) / 100).toFixed(2),
    manufacturer: text(PROPERTY.manufacturer),
    vendor: text(...[0, 1, 2, 3].map((i) => PROPERTY.vendor + i)),
    firmwareVersion: (BigInt(at(PROPERTY.firmware)) << 32n) | BigInt(at(PROPERTY.firmware + 1)),
  };
}
