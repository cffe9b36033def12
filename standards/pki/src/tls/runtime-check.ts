/** Whether this runtime survives a Brainpool certificate, tried in a process of its own. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { buildCertificate } from '../certificate.ts';
import { PkiError } from '../error.ts';
import { FileKeySigner } from '../file-key.ts';
import { nameOf } from '../name.ts';
import { toPem } from '../signed.ts';

export interface RuntimeCheck {
  readonly safe: boolean;
  /** What the child did: for example `exit 0`, `signal SIGSEGV`. */
  readonly outcome: string;
}

/** What the child runs: the call that `getPeerCertificate` makes. */
const PROGRAM = `
  let pem = '';
  process.stdin.on('data', (chunk) => { pem += chunk; });
  process.stdin.on('end', () => {
    const { X509Certificate } = require('node:crypto');
    const { subject } = new X509Certificate(pem).toLegacyObject();
    process.exit(subject.CN === 'runtime check' ? 0 : 1);
  });
`;

/** The child is ended after so long; a healthy one needs a twentieth of a second. */
const PATIENCE = 30_000;

/**
 * Lets a child of the same runtime read a Brainpool certificate.
 * @param runtime path of the runtime; this one's when absent
 */
export async function checkRuntime(runtime: string = process.execPath): Promise<RuntimeCheck> {
  const pem = await brainpoolCertificate();
  return new Promise((resolve) => {
    // No options of the parent's: a coverage or debugging hook has no business in the child.
    const { NODE_OPTIONS: _, ...env } = process.env;
    const child = spawn(runtime, ['-e', PROGRAM], { stdio: ['pipe', 'ignore', 'ignore'], env, timeout: PATIENCE });
    child.once('error', (error) => resolve({ safe: false, outcome: error.message }));
    child.once('close', (code, signal) =>
      resolve({ safe: code === 0, outcome: signal ? `signal ${signal}` : `exit ${code}` }),
    );
    // A child that dies early closes the pipe under us; its end says what has to be said.
    child.stdin.on('error', () => {});
    child.stdin.end(pem);
  });
}

/** @throws PkiError `pki.runtime` (fault environment) on a runtime that a peer could end with a certificate */
export async function requireSafeRuntime(runtime?: string): Promise<void> {
  const { safe, outcome } = await checkRuntime(runtime);
  if (safe) return;
  throw new PkiError(
    'environment',
    'pki.runtime',
    `${runtime ?? `Node ${process.version}`} does not survive a Brainpool certificate (${outcome}); use Node 22 LTS`,
  );
}

async function brainpoolCertificate(): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' });
  const pem = toPem('PRIVATE KEY', privateKey.export({ type: 'pkcs8', format: 'der' }));
  const signer = FileKeySigner.fromPem(pem, 'a new key', { accept: ['ESB256'] });
  const subject = nameOf({ commonName: 'runtime check' });
  const notBefore = new Date('2026-01-01T00:00:00Z');
  const notAfter = new Date('2049-01-01T00:00:00Z');
  const fields = { issuer: subject, subject, notBefore, notAfter, publicKey: signer.publicKey, extensions: {} };
  return toPem('CERTIFICATE', await buildCertificate(fields, signer));
}
