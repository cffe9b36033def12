/** Asks a TPM for a quote and checks it as another machine would: `node examples/quote.ts /run/swtpm.sock` or `/dev/tpmrm0`. */
import { randomBytes } from 'node:crypto';
import { openAttestationKey, openEndorsementKey, TpmClient, verifyQuote } from '@enerchain/tpm2';

const path = process.argv[2] ?? '/dev/tpmrm0';
const tpm = new TpmClient(path.startsWith('/dev/') ? { device: path } : { path });
try {
  console.log(await tpm.identify());
  const { name, certificate } = await openEndorsementKey(tpm);
  console.log(
    'endorsement key',
    name,
    certificate ? `with a certificate of ${certificate.length} octets` : 'without a certificate',
  );
  const ak = await openAttestationKey(tpm);
  const nonce = randomBytes(32);
  const quote = await tpm.quote(ak, nonce, [{ hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 10] }]);
  for (const [pcr, value] of quote.pcrs[0]!.values) console.log('PCR', pcr, Buffer.from(value).toString('hex'));
  const { ok, problems } = verifyQuote({ ...quote, akPublic: ak.public, qualifyingData: nonce });
  console.log(ok ? 'the quote holds' : problems);
  process.exitCode = ok ? 0 : 1;
} finally {
  await tpm.close();
}
