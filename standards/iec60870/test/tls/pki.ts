import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why the certificates cannot be made on this machine; undefined: they can. */
export function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'the openssl command line tool is not installed, so no certificates can be made for the TLS tests';
  }
}

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** A throw-away authority on the openssl command line; certificates are made when the tests run, so they are never out of date. */
export class TestAuthority {
  readonly #dir = mkdtempSync(join(tmpdir(), 'iec104-tls-'));
  readonly cert: string;
  #serial = 1;

  constructor(name: string) {
    writeFileSync(this.#path('index.txt'), '');
    writeFileSync(this.#path('crlnumber'), '01\n');
    writeFileSync(
      this.#path('ca.cnf'),
      [
        '[ca]\ndefault_ca = d',
        `[d]\ndatabase = ${this.#path('index.txt')}\ncrlnumber = ${this.#path('crlnumber')}\ndefault_md = sha256`,
        'default_crl_days = 1\nunique_subject = no',
        `serial = ${this.#path('serial')}`,
        '[p]\ncommonName = supplied',
        '[req]\ndistinguished_name = dn',
        '[dn]',
        '[v3_ca]\nbasicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign',
        '[v3_end]\nbasicConstraints = CA:false\nkeyUsage = digitalSignature\nextendedKeyUsage = serverAuth, clientAuth\nsubjectAltName = DNS:localhost, IP:127.0.0.1',
      ].join('\n'),
    );
    this.#key('ca', 'ec');
    this.#openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      this.#path('ca.key'),
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      '-config',
      this.#path('ca.cnf'),
      '-extensions',
      'v3_ca',
      '-out',
      this.#path('ca.pem'),
    );
    this.cert = readFileSync(this.#path('ca.pem'), 'utf8');
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }

  #key(name: string, kind: 'ec' | 'rsa1024'): void {
    if (kind === 'ec')
      this.#openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', this.#path(`${name}.key`));
    else this.#openssl('genrsa', '-out', this.#path(`${name}.key`), '1024');
  }

  /** A certificate for both ends of a connection; `days` below zero makes one that has expired. */
  issue(name: string, options: { days?: number; key?: 'ec' | 'rsa1024' } = {}): Issued {
    this.#key(name, options.key ?? 'ec');
    this.#openssl(
      'req',
      '-new',
      '-key',
      this.#path(`${name}.key`),
      '-subj',
      `/CN=${name}`,
      '-config',
      this.#path('ca.cnf'),
      '-out',
      this.#path(`${name}.csr`),
    );
    // `-days` cannot make an expired certificate; its beginning has to lie before its end.
    const days = options.days ?? 2;
    const notAfter = new Date(Date.now() + days * 86_400_000);
    const notBefore = new Date(Math.min(Date.now(), notAfter.getTime()) - 86_400_000);
    const stamp = (date: Date) => `${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`;
    writeFileSync(this.#path('serial'), `${(this.#serial++).toString(16).padStart(4, '0')}\n`);
    this.#openssl(
      ...[
        'ca',
        '-batch',
        '-config',
        this.#path('ca.cnf'),
        '-in',
        this.#path(`${name}.csr`),
        '-out',
        this.#path(`${name}.pem`),
      ],
      ...[
        '-cert',
        this.#path('ca.pem'),
        '-keyfile',
        this.#path('ca.key'),
        '-outdir',
        this.#dir,
        '-extensions',
        'v3_end',
      ],
      ...['-startdate', stamp(notBefore), '-enddate', stamp(notAfter), '-policy', 'p', '-notext'],
    );
    return {
      cert: readFileSync(this.#path(`${name}.pem`), 'utf8'),
      key: readFileSync(this.#path(`${name}.key`), 'utf8'),
    };
  }

  revoke(name: string): void {
    this.#openssl(
      'ca',
      '-batch',
      '-config',
      this.#path('ca.cnf'),
      '-cert',
      this.#path('ca.pem'),
      '-keyfile',
      this.#path('ca.key'),
      '-revoke',
      this.#path(`${name}.pem`),
    );
  }

  crl(): string {
    this.#openssl(
      'ca',
      '-gencrl',
      '-config',
      this.#path('ca.cnf'),
      '-cert',
      this.#path('ca.pem'),
      '-keyfile',
      this.#path('ca.key'),
      '-out',
      this.#path('crl.pem'),
    );
    return readFileSync(this.#path('crl.pem'), 'utf8');
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
