/** The announcement of the edge: which points it may speak for, as a versioned document on the chain. */
import { createHash } from 'node:crypto';
import type { SiteDocument } from '@enerchain/model';
import type { StateChange } from '../outbox/records.ts';
import type { Announcement } from '../site/site.ts';

/**
 * The document with its version: the one announced last when nothing has changed, the next one otherwise.
 * @param meta reads what an earlier run has kept
 * @returns the change has to be written together with the document
 */
export function versioned(
  announcement: Announcement,
  meta: (key: string) => string | undefined,
): { readonly document: SiteDocument; readonly change: StateChange; readonly changed: boolean } {
  const hash = createHash('sha256').update(JSON.stringify(announcement)).digest('hex');
  const last = Number(meta('siteVersion') ?? 0);
  const changed = meta('siteHash') !== hash;
  const version = changed ? last + 1 : last;
  return {
    document: { ...announcement, version },
    change: { meta: { siteVersion: String(version), siteHash: hash } },
    changed,
  };
}
