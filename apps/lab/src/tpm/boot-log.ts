/** What the firmware of a lab machine measures while it boots, in the words of the TCG PC Client Platform Firmware Profile. */
import { hash } from 'node:crypto';
import { digestsOf, EVENT_TYPES, type EventToWrite, type EventTypeName } from '@enerchain/tpm2';

export interface BootProfile {
  readonly firmware: string;
  readonly secureBoot: boolean;
  readonly bootLoader: string;
  readonly kernel: string;
  readonly commandLine: string;
}

export const LAB_BOOT: BootProfile = {
  firmware: 'CloudEnerChain lab firmware 1.0',
  secureBoot: true,
  bootLoader: 'lab boot loader 2.1',
  kernel: 'lab kernel 6.1.0-28',
  commandLine: 'root=/dev/vda1 ro quiet',
};

/** Golden values of PCRs 0 to 7 after a boot, SHA-256 as hex; what who approves the firmware would publish. */
export function goldenRegisters(profile: BootProfile): Record<string, string> {
  const registers = Array.from({ length: 8 }, () => Buffer.alloc(32));
  for (const event of bootEvents(profile)) {
    const before = registers[event.pcr];
    const digest = digestsOf(['sha256'], event).get('sha256');
    if (before && digest) registers[event.pcr] = hash('sha256', Buffer.concat([before, digest]), 'buffer');
  }
  return Object.fromEntries(registers.map((value, pcr) => [pcr, value.toString('hex')]));
}

/** The same machine after somebody else has put his firmware into it. */
export const CHANGED_FIRMWARE: BootProfile = { ...LAB_BOOT, firmware: 'CloudEnerChain lab firmware 1.0 (changed)' };

/** EFI_GLOBAL_VARIABLE, as it stands in memory. */
const GLOBAL_VARIABLE = Buffer.from('61dfe48bca93d211aa0d00e098032b8c', 'hex');

/** Images are measured as their names here: there is nothing else of them. */
export function bootEvents({ firmware, secureBoot, bootLoader, kernel, commandLine }: BootProfile): EventToWrite[] {
  const event = (pcr: number, type: EventTypeName, data: Uint8Array, measured?: Uint8Array): EventToWrite => ({
    pcr,
    type: EVENT_TYPES[type],
    data,
    ...(measured ? { measured } : {}),
  });
  const version = Buffer.from(`${firmware}\0`, 'utf16le');
  const line = (text: string) => Buffer.from(`${text}\0`);
  return [
    event(0, 'EV_S_CRTM_VERSION', version),
    event(0, 'EV_EFI_PLATFORM_FIRMWARE_BLOB', numbers(0xffe00000n, 0x200000n), Buffer.from(firmware)),
    event(7, 'EV_EFI_VARIABLE_DRIVER_CONFIG', variable('SecureBoot', Buffer.of(secureBoot ? 1 : 0))),
    event(1, 'EV_EFI_VARIABLE_BOOT2', variable('BootOrder', Buffer.of(0, 0))),
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => event(pcr, 'EV_SEPARATOR', Buffer.alloc(4))),
    event(4, 'EV_EFI_BOOT_SERVICES_APPLICATION', image('\\EFI\\BOOT\\BOOTX64.EFI'), Buffer.from(bootLoader)),
    event(9, 'EV_IPL', line('/boot/vmlinuz'), Buffer.from(kernel)),
    event(
      8,
      'EV_IPL',
      line(`kernel_cmdline: /boot/vmlinuz ${commandLine}`),
      Buffer.from(`/boot/vmlinuz ${commandLine}`),
    ),
    event(5, 'EV_EFI_ACTION', Buffer.from('Exit Boot Services Invocation')),
    event(5, 'EV_EFI_ACTION', Buffer.from('Exit Boot Services Returned with Success')),
  ];
}

function numbers(...values: readonly bigint[]): Uint8Array {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => {
    bytes.writeBigUInt64LE(value, 8 * i);
  });
  return bytes;
}

/** UEFI_VARIABLE_DATA. */
const variable = (name: string, value: Uint8Array): Uint8Array =>
  Buffer.concat([
    GLOBAL_VARIABLE,
    numbers(BigInt(name.length), BigInt(value.length)),
    Buffer.from(name, 'utf16le'),
    value,
  ]);

/** UEFI_IMAGE_LOAD_EVENT with a file path as device path. */
function image(path: string): Uint8Array {
  const name = Buffer.from(`${path}\0`, 'utf16le');
  const node = Buffer.concat([Buffer.of(4, 4, (name.length + 4) & 0xff, (name.length + 4) >> 8), name]);
  const devicePath = Buffer.concat([node, Buffer.of(0x7f, 0xff, 4, 0)]);
  return Buffer.concat([numbers(0x7e000000n, 0x100000n, 0n, BigInt(devicePath.length)), devicePath]);
}
