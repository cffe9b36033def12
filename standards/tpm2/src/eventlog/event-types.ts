/**
 * Event types of the TCG PC Client Platform Firmware Profile (PFP 1.05 rev 23, § 10.4.1 table 27; 1.06 where newer) as data.
 * `covers` says what the digest of such an event is taken over, and so whether its data can be believed:
 *
 * - `data`: the event data (PFP: “the digest is the hash of the event data”)
 * - `variable`: the event data or only the variable’s value: firmware before PFP 1.04 does the latter
 * - `line`: in PCR 8 and 12 the boot loader’s command line, with or without its prefix and final zero; elsewhere the contents
 *   of the file that the event names
 * - `tag`: the tagged data, or something else that the tag stands for
 * - `other`: something that is not in the log (an image, a table); the data is a hint only
 */
export type Covers = 'data' | 'variable' | 'line' | 'tag' | 'other';

// biome-ignore format: a table reads best as a table
const ROWS = [
  [0x00000000, 'EV_PREBOOT_CERT', 'other'],
  [0x00000001, 'EV_POST_CODE', 'other'],
  [0x00000002, 'EV_UNUSED', 'other'],
  [0x00000003, 'EV_NO_ACTION', 'other'],
  [0x00000004, 'EV_SEPARATOR', 'data'],
  [0x00000005, 'EV_ACTION', 'data'],
  [0x00000006, 'EV_EVENT_TAG', 'tag'],
  [0x00000007, 'EV_S_CRTM_CONTENTS', 'other'],
  [0x00000008, 'EV_S_CRTM_VERSION', 'data'],
  [0x00000009, 'EV_CPU_MICROCODE', 'other'],
  [0x0000000a, 'EV_PLATFORM_CONFIG_FLAGS', 'other'],
  [0x0000000b, 'EV_TABLE_OF_DEVICES', 'other'],
  [0x0000000c, 'EV_COMPACT_HASH', 'other'],
  [0x0000000d, 'EV_IPL', 'line'],
  [0x0000000e, 'EV_IPL_PARTITION_DATA', 'other'],
  [0x0000000f, 'EV_NONHOST_CODE', 'other'],
  [0x00000010, 'EV_NONHOST_CONFIG', 'other'],
  [0x00000011, 'EV_NONHOST_INFO', 'other'],
  [0x00000012, 'EV_OMIT_BOOT_DEVICE_EVENTS', 'data'],
  [0x00000013, 'EV_POST_CODE2', 'other'],
  [0x80000001, 'EV_EFI_VARIABLE_DRIVER_CONFIG', 'data'],
  [0x80000002, 'EV_EFI_VARIABLE_BOOT', 'variable'],
  [0x80000003, 'EV_EFI_BOOT_SERVICES_APPLICATION', 'other'],
  [0x80000004, 'EV_EFI_BOOT_SERVICES_DRIVER', 'other'],
  [0x80000005, 'EV_EFI_RUNTIME_SERVICES_DRIVER', 'other'],
  [0x80000006, 'EV_EFI_GPT_EVENT', 'data'],
  [0x80000007, 'EV_EFI_ACTION', 'data'],
  [0x80000008, 'EV_EFI_PLATFORM_FIRMWARE_BLOB', 'other'],
  [0x80000009, 'EV_EFI_HANDOFF_TABLES', 'other'],
  [0x8000000a, 'EV_EFI_PLATFORM_FIRMWARE_BLOB2', 'other'],
  [0x8000000b, 'EV_EFI_HANDOFF_TABLES2', 'other'],
  [0x8000000c, 'EV_EFI_VARIABLE_BOOT2', 'data'],
  [0x8000000d, 'EV_EFI_GPT_EVENT2', 'data'],
  [0x80000010, 'EV_EFI_HCRTM_EVENT', 'other'],
  [0x800000e0, 'EV_EFI_VARIABLE_AUTHORITY', 'data'],
  [0x800000e1, 'EV_EFI_SPDM_FIRMWARE_BLOB', 'other'],
  [0x800000e2, 'EV_EFI_SPDM_FIRMWARE_CONFIG', 'other'],
  [0x800000e3, 'EV_EFI_SPDM_DEVICE_POLICY', 'data'],
  [0x800000e4, 'EV_EFI_SPDM_DEVICE_AUTHORITY', 'data'],
] as const satisfies readonly (readonly [number, string, Covers])[];

export type EventTypeName = (typeof ROWS)[number][1];

export interface EventType {
  readonly code: number;
  readonly name: EventTypeName;
  readonly covers: Covers;
}

/** Name → code. */
export const EVENT_TYPES = Object.fromEntries(ROWS.map(([code, name]) => [name, code])) as Readonly<
  Record<EventTypeName, number>
>;

const TYPES: ReadonlyMap<number, EventType> = new Map(
  ROWS.map(([code, name, covers]) => [code, { code, name, covers }]),
);

/** `undefined` for a type that is not in the table. */
export const eventType = (code: number): EventType | undefined => TYPES.get(code);

export const EV_NO_ACTION = 0x00000003;
