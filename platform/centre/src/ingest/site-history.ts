/**
 * Every version of what sources announced, one file each, never changed: a point at a time means what its source said of it
 * then. Kept beside the newest (`SiteFiles`), since retention drops the records that carried them.
 */
import { type Clock, type SiteDocument, SiteDocument as SiteSchema, type UtcNanos, validator } from '@enerchain/model';
import type { LogFiles } from '../log/files.ts';

const document = validator(SiteSchema);
/** `<source>~<nanoseconds>~<version>.json`: a source has no `~` in its name. */
const NAME = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,99})~(\d{20})~(\d+)\.json$/;

interface Version {
  readonly name: string;
  readonly from: UtcNanos;
  readonly version: number;
}

export class SiteHistory {
  readonly #files: LogFiles;
  readonly #folder: string;
  readonly #clock: Pick<Clock, 'now'>;
  /** By source, oldest first. */
  readonly #versions = new Map<string, Version[]>();

  constructor(files: LogFiles, folder: string, clock: Pick<Clock, 'now'>) {
    this.#files = files;
    this.#folder = folder;
    this.#clock = clock;
  }

  async load(): Promise<void> {
    await this.#files.makeFolder(this.#folder);
    for (const name of (await this.#files.list(this.#folder)).sort()) {
      const [, source, from, version] = NAME.exec(name) ?? [];
      if (source === undefined) continue;
      this.#add(source, { name, from: BigInt(from!), version: Number(version) });
    }
  }

  #add(source: string, version: Version): void {
    const list = this.#versions.get(source);
    if (list) list.push(version);
    else this.#versions.set(source, [version]);
  }

  /** Keeps what a source announces from now on; a version that is kept already stays as it is. */
  async keep(site: SiteDocument, from: UtcNanos = this.#clock.now()): Promise<void> {
    const newest = this.#versions.get(site.source)?.at(-1);
    if (newest && newest.version >= site.version) return;
    const name = `${site.source}~${String(from).padStart(20, '0')}~${site.version}.json`;
    await this.#files.writeAll(`${this.#folder}/${name}`, Buffer.from(JSON.stringify(site)));
    this.#add(site.source, { name, from, version: site.version });
  }

  /** What each source had announced at a time, and since when; sources that had announced nothing are left out. */
  async at(time: UtcNanos): Promise<{ readonly document: SiteDocument; readonly since: UtcNanos }[]> {
    const found: { document: SiteDocument; since: UtcNanos }[] = [];
    for (const versions of this.#versions.values()) {
      const valid = versions.findLast(({ from }) => from <= time);
      if (!valid) continue;
      const text = await this.#files.readAll(`${this.#folder}/${valid.name}`);
      if (!text) continue;
      found.push({ document: document.parse(JSON.parse(text.toString('utf8')), valid.name), since: valid.from });
    }
    return found;
  }
}
