/**
 * The manufacturer of the lab’s TPMs: swtpm’s own local certification authority with its state in one folder. It makes each TPM’s
 * endorsement keys and puts their certificates into its NV, as a maker of chips does.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EnerchainError } from '@enerchain/model';

const run = promisify(execFile);
/** Manufacturing takes about a second; the first one makes the authority’s keys as well. */
const TIMEOUT = 60_000;
const BANKS = 'sha1,sha256,sha384';

export class EkAuthority {
  readonly #folder: string;

  /** @param folder of the authority; made when it is not there */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = (name: string) => join(folder, name);
    writeFileSync(
      file('localca.conf'),
      ['statedir', 'signingkey', 'issuercert', 'certserial']
        .map(
          (key, i) => `${key} = ${i === 0 ? folder : file(['', 'signkey.pem', 'issuercert.pem', 'certserial'][i]!)}\n`,
        )
        .join(''),
    );
    writeFileSync(
      file('localca.options'),
      '--platform-manufacturer CloudEnerChain\n--platform-version 1\n--platform-model Lab\n',
    );
    writeFileSync(
      file('setup.conf'),
      `create_certs_tool = swtpm_localca\ncreate_certs_tool_config = ${file('localca.conf')}\n` +
        `create_certs_tool_options = ${file('localca.options')}\nactive_pcr_banks = ${BANKS}\n`,
    );
  }

  /** Makes a TPM in `state`; one that is there stays as it is. @returns whether it was made now @throws EnerchainError (environment) */
  async manufacture(state: string): Promise<boolean> {
    if (existsSync(join(state, 'tpm2-00.permall'))) return false;
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const options = ['--tpm2', '--tpmstate', state, '--create-ek-cert', '--config', join(this.#folder, 'setup.conf')];
    try {
      await run('swtpm_setup', [...options, '--overwrite'], { timeout: TIMEOUT });
      return true;
    } catch (cause) {
      const { stderr = '', stdout = '', message } = cause as Error & { stderr?: string; stdout?: string };
      const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) || message;
      throw new EnerchainError(
        'environment',
        'lab.tpm.setup',
        `swtpm_setup could not make a TPM in ${state}: ${said}`,
        { cause },
      );
    }
  }

  /** PEM: the certificate that issues those of the endorsement keys, and its root. There once a TPM was made. */
  certificates(): string {
    return ['issuercert.pem', 'swtpm-localca-rootca-cert.pem']
      .map((name) => readFileSync(join(this.#folder, name), 'utf8'))
      .join('');
  }
}
