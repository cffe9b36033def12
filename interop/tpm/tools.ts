/** A TPM (swtpm) that our client and tpm2-tools use side by side, with every command on record. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSwtpm } from '@enerchain/lab';
import { SocketTransport, TpmClient } from '@enerchain/tpm2';
import { EkAuthority } from '../../apps/lab/src/tpm/ek-authority.ts';
import { SwtpmProcess } from '../../apps/lab/src/tpm/swtpm-process.ts';
import { TpmRelay } from '../../apps/lab/src/tpm/tpm-relay.ts';

/** Why the tests are skipped; `undefined` when everything is here. */
export async function missingPeers(): Promise<string | undefined> {
  const swtpm = await findSwtpm();
  if (!swtpm.installed) return swtpm.reason;
  const tools = spawnSync('tpm2_quote', ['--version'], { encoding: 'utf8' });
  return tools.status === 0 ? undefined : 'tpm2-tools are not installed (Debian: apt-get install tpm2-tools)';
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class TestTpm {
  /** Files of the tools. */
  readonly folder = mkdtempSync(join(tmpdir(), 'tpm-'));
  /** Commands in the order in which the TPM had them. */
  readonly commands: Uint8Array[] = [];
  readonly client: TpmClient;
  readonly #process: SwtpmProcess;
  readonly #upstream: SocketTransport;
  readonly #relay: TpmRelay;
  readonly #control: Server;

  private constructor() {
    const raw = join(this.folder, 'raw');
    this.#process = new SwtpmProcess(join(this.folder, 'state'), raw, () => {});
    const upstream = new SocketTransport({ path: raw });
    this.#upstream = upstream;
    const path = join(this.folder, 's');
    this.#relay = new TpmRelay(
      path,
      {
        description: upstream.description,
        disconnect: () => upstream.disconnect(),
        transact: (command) => {
          this.commands.push(Uint8Array.from(command));
          return upstream.transact(command);
        },
      },
      false,
    );
    // The tools set the locality through the control channel.
    this.#control = createServer((socket) => {
      const control = connect(`${raw}.ctrl`);
      for (const each of [socket, control]) each.on('error', () => {});
      socket.pipe(control).pipe(socket);
    });
    this.client = new TpmClient({ path });
  }

  static async start(): Promise<TestTpm> {
    const tpm = new TestTpm();
    await new EkAuthority(join(tpm.folder, 'ca')).manufacture(join(tpm.folder, 'state'));
    await tpm.#process.start();
    await tpm.#relay.open();
    await new Promise<void>((resolve) => tpm.#control.listen(join(tpm.folder, 's.ctrl'), resolve));
    return tpm;
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, contents: Uint8Array | string): string {
    writeFileSync(this.file(name), contents);
    return this.file(name);
  }

  read(name: string): Uint8Array {
    return readFileSync(this.file(name));
  }

  /** Runs a program of tpm2-tools beside our event loop, through which it reaches the TPM. */
  tool(name: string, ...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(
        `tpm2_${name}`,
        args,
        { cwd: this.folder, env: { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${this.file('s')}` }, timeout: 60_000 },
        (error, stdout, stderr) => {
          if (error) reject(new Error(`tpm2_${name} ${args.join(' ')}: ${stderr || error.message}`));
          else resolve(stdout);
        },
      );
    });
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.#relay.shut();
    await new Promise((resolve) => this.#control.close(resolve));
    await this.#upstream.disconnect();
    await this.#process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A tool that needs no TPM. */
export const offline = (name: string, ...args: string[]): string =>
  execFileSync(`tpm2_${name}`, args, {
    encoding: 'utf8',
    env: { ...process.env, TPM2TOOLS_TCTI: 'none' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
