/** Imported before anything else: from here on every module that this process loads is seen, hashed as it is compiled. */
import { fileURLToPath } from 'node:url';
import { watchLoading } from '@enerchain/attestation/measure';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
watchLoading([here('./main.ts'), here('./measured.ts')]);
