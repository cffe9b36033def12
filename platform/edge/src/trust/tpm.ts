/** The TPM of this gateway, as those who prove its state with it want to have it. */
import { join } from 'node:path';
import { LINUX_LOGS, type TpmSettings } from '@enerchain/attestation';
import { COAP_KEY_FILE, type Quoter, tpmQuoter } from '@enerchain/tcn';
import type { NodeTpm } from '@enerchain/trust';

export interface EdgeTpm {
  readonly tpm: NodeTpm;
  /** Event log of the boot, where Linux does not show it. */
  readonly eventLog: string | undefined;
  readonly dataDir: string;
}

/** For evidence to the centre. @param url of its link */
export function tpmSettings({ tpm, eventLog, dataDir }: EdgeTpm, url: string): TpmSettings {
  const settings = { tpm, identityDir: join(dataDir, 'identity'), url: `https://${new URL(url).host}` };
  return { ...settings, ...(eventLog ? { eventLog } : {}) };
}

/** For attestation over CoAP. */
export function coapQuoter({ tpm, eventLog, dataDir }: EdgeTpm): Quoter {
  const logs = { ima: LINUX_LOGS.ima, 'tcg-boot': eventLog ?? LINUX_LOGS.events };
  return tpmQuoter({ tpm: tpm.client, keyFile: join(dataDir, COAP_KEY_FILE), logs });
}
