/** A centre whose machine has a TPM (swtpm) attests itself by it, to itself and to whoever asks over its link. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DEVELOPMENT_POLICY,
  decodeEvidence,
  evidenceQuestion,
  readEvidenceAnswer,
  watchLoading,
} from '@enerchain/attestation';
import { findSwtpm, TpmFleet } from '@enerchain/lab';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { centreKeysIn } from '../../apps/enerchain/src/centre-keys.ts';
import { openCore } from '../../platform/centre/src/core.ts';
import { silent } from '../../platform/edge/test/helpers.ts';

watchLoading();
const noTpm = (await findSwtpm()).installed ? undefined : 'swtpm is not installed';
if (noTpm) console.log(`skipped: ${noTpm}`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'centre-attests-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(noTpm)('a centre with a TPM', () => {
  it.each([true, false])('whose maker is known: %s', async (known) => {
    const fleet = await TpmFleet.start({ folder: join(folder, 'tpm'), nodes: ['centre'] });
    const { socket, ekAuthority } = fleet.get('centre')!;
    const makers = join(folder, 'centre', 'ca', 'tpm-makers');
    mkdirSync(makers, { recursive: true });
    if (known) copyFileSync(ekAuthority, join(makers, 'maker.pem'));
    const installation = join(folder, 'installation');
    mkdirSync(installation);
    writeFileSync(join(installation, 'package-lock.json'), '{}');
    const keyFile = join(folder, 'keys.yaml');
    writeFileSync(keyFile, `tpm: ${socket}\n`);
    const core = await openCore({
      dataDir: join(folder, 'centre'),
      link: { host: '127.0.0.1', port: 0 },
      databaseUrl: 'postgres://nobody@127.0.0.1:9/none',
      keys: centreKeysIn(keyFile),
      trust: { policy: DEVELOPMENT_POLICY, installation },
      logger: silent,
      signal: new AbortController().signal,
    });
    try {
      const peer = {
        source: 'edge-nord',
        holder: { name: 'edge-nord', role: 'edge' as const },
        exporter: () => new Uint8Array(32),
        request: async () => null,
      };
      const answer = await core.trust!.evidence!.answer(peer, evidenceQuestion(new Uint8Array(32), undefined));
      const { proof } = decodeEvidence(readEvidenceAnswer(answer).evidence);
      expect(proof.tier).toBe(known ? 'tpm' : 'software');
      const results = () => core.trust!.keeper.state('centre')?.results ?? [];
      for (const end = performance.now() + 60_000; results().length === 0; ) {
        if (performance.now() > end) throw new Error('the centre was never appraised');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const [result] = results();
      expect(result?.tier).toBe(known ? 'tpm' : 'software');
      // A maker vouches for the chip, and the chip for the key; nobody's word about the machine is needed for that.
      expect(result?.vector.hardware).toBe(known ? 2 : undefined);
      expect(result?.vector.instanceIdentity).toBe(2);
    } finally {
      await core.close();
      await fleet.close();
    }
  });
});
