/** Answers of a service over HTTP. */
import type { HttpResponse } from '@enerchain/link';

export const answer = (status: number, type: string, body: string | Uint8Array): HttpResponse => ({
  status,
  headers: { 'content-type': type },
  body: Buffer.from(body),
});

export const json = (status: number, value: unknown): HttpResponse =>
  answer(status, 'application/json', JSON.stringify(value));

/** RFC 9457. @param detail one sentence; what stands before its first stop or semicolon becomes the title */
export const problem = (status: number, detail: string): HttpResponse =>
  answer(
    status,
    'application/problem+json',
    JSON.stringify({ type: 'about:blank', title: detail.split(/[.;]/)[0], status, detail }),
  );
