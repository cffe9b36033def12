/** Where this software lies: the root of what is measured, and of the manifests made of it. */
import { fileURLToPath } from 'node:url';
import { installationRoot } from '@enerchain/attestation';

export const installation = (): string => installationRoot(fileURLToPath(new URL('./main.ts', import.meta.url)));
