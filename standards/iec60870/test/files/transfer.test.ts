import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileElement, FileStep } from '../../src/files/file-elements.ts';
import { FileReceiver, type FileReceiverOptions } from '../../src/files/file-receiver.ts';
import { FileSender, type FileSenderOptions } from '../../src/files/file-sender.ts';

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 0xff);

/** Runs both machines against each other; `spoil` may change or drop (undefined) what travels. */
function transfer(
  content: Uint8Array,
  options: Partial<FileSenderOptions> & Partial<FileReceiverOptions> = {},
  spoil: (element: FileElement) => FileElement | undefined = (e) => e,
) {
  const sender = new FileSender({ file: 5, content, segmentRoom: 200, ...options });
  const receiver = new FileReceiver({ file: 5, maxLength: 1_000_000, ...options });
  const log: string[] = [];
  let sent: FileStep['outcome'];
  let received: FileStep['outcome'];
  const toReceiver = (elements: Iterable<FileElement>) => {
    for (const element of elements) {
      const arriving = spoil(element);
      if (arriving === undefined) continue;
      log.push(arriving.kind);
      const step = receiver.receive(arriving);
      received ??= step.outcome;
      toSender(step.send);
    }
  };
  const toSender = (elements: Iterable<FileElement>) => {
    for (const element of elements) {
      const step = sender.receive(element);
      sent ??= step.outcome;
      toReceiver(step.send);
    }
  };
  toReceiver([sender.fileReady()]);
  return { sent, received, log };
}

describe('file transfer, both machines', () => {
  it('announces, calls, sends and acknowledges in the order of the standard', () => {
    const { log, received, sent } = transfer(bytes(500), { sectionSize: 300 });
    expect(log).toEqual([
      'fileReady',
      'sectionReady',
      'segment',
      'segment',
      'lastSection',
      'sectionReady',
      'segment',
      'lastSection',
      'lastSection',
    ]);
    expect(received).toEqual({ ok: true, content: bytes(500) });
    expect(sent?.ok).toBe(true);
  });

  it('carries an empty file', () => {
    expect(transfer(new Uint8Array(0)).received).toEqual({ ok: true, content: new Uint8Array(0) });
  });

  it('carries any content with any section and segment size', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 1, max: 255 }),
        fc.integer({ min: 1, max: 600 }),
        (content, segmentRoom, sectionSize) => {
          const { received, sent } = transfer(content, { segmentRoom, sectionSize });
          expect(received).toEqual({ ok: true, content: new Uint8Array(content) });
          expect(sent?.ok).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('needs no more than 255 sections', () => {
    const { log, received } = transfer(bytes(100_000), { sectionSize: 10 });
    expect(received?.ok).toBe(true);
    expect(log.filter((kind) => kind === 'sectionReady')).toHaveLength(255);
  });

  it('sends a section again that arrived with a wrong checksum', () => {
    let spoiled = 0;
    const { received, log } = transfer(bytes(300), {}, (e) =>
      e.kind === 'segment' && spoiled++ === 0 ? { ...e, data: e.data.map((b, i) => (i === 0 ? b ^ 1 : b)) } : e,
    );
    expect(received).toEqual({ ok: true, content: bytes(300) });
    expect(log.filter((kind) => kind === 'sectionReady')).toHaveLength(2);
  });

  it('gives up a section that keeps arriving wrong', () => {
    const { received, sent } = transfer(bytes(300), {}, (e) =>
      e.kind === 'lastSection' && e.qualifier === 3 ? { ...e, checksum: e.checksum ^ 1 } : e,
    );
    expect(received).toMatchObject({ ok: false, reason: 'checksum' });
    expect(sent?.ok).toBe(false);
  });

  it('notices a lost segment', () => {
    let lost = 0;
    const { received } = transfer(bytes(1000), {}, (e) => (e.kind === 'segment' && lost++ === 1 ? undefined : e));
    expect(received).toEqual({ ok: true, content: bytes(1000) });
  });

  it('refuses a file longer than its bound before any octet of it arrives', () => {
    const { received, sent, log } = transfer(bytes(2000), { maxLength: 1999 });
    expect(received).toMatchObject({ ok: false, reason: 'too long' });
    expect(sent).toMatchObject({ ok: false, reason: 'too long' });
    expect(log).toEqual(['fileReady']);
  });

  it.each([
    ['a section longer than announced', (e: FileElement) => (e.kind === 'sectionReady' ? { ...e, length: 10 } : e)],
    ['a section out of order', (e: FileElement) => (e.kind === 'sectionReady' ? { ...e, section: 2 } : e)],
    ['a segment of another section', (e: FileElement) => (e.kind === 'segment' ? { ...e, section: 9 } : e)],
    ['another file', (e: FileElement) => (e.kind === 'segment' ? { ...e, file: 6 } : e)],
    ['an unknown qualifier', (e: FileElement) => (e.kind === 'lastSection' ? { ...e, qualifier: 9 } : e)],
    [
      'a file ready in the middle',
      (e: FileElement) => (e.kind === 'segment' ? { kind: 'fileReady' as const, file: 5, length: 1, qualifier: 0 } : e),
    ],
  ])('ends the transfer at %s', (_what, spoil) => {
    const { received, sent } = transfer(bytes(300), {}, spoil);
    expect(received?.ok).toBe(false);
    expect(sent?.ok).toBe(false);
  });

  it('a refused select and a deactivation end it on both sides', () => {
    const receiver = new FileReceiver({ file: 5, maxLength: 10 });
    expect(receiver.select()).toMatchObject({ kind: 'fileCall', qualifier: 1 });
    expect(receiver.receive({ kind: 'fileReady', file: 5, length: 0, qualifier: 0x80 }).outcome).toMatchObject({
      reason: 'refused',
    });
    const sender = new FileSender({ file: 5, content: bytes(10), segmentRoom: 4 });
    sender.receive({ kind: 'fileCall', file: 5, section: 0, qualifier: 2 });
    const step = sender.receive(new FileReceiver({ file: 5, maxLength: 10 }).deactivate());
    expect(step.outcome).toMatchObject({ ok: false, reason: 'deactivated' });
    expect([...sender.receive({ kind: 'fileCall', file: 5, section: 1, qualifier: 6 }).send]).toEqual([]);
  });

  it('stops sending segments when the section is deactivated half-way', () => {
    const sender = new FileSender({ file: 5, content: bytes(100), segmentRoom: 10 });
    sender.receive({ kind: 'fileCall', file: 5, section: 0, qualifier: 2 });
    const segments = sender.receive({ kind: 'fileCall', file: 5, section: 1, qualifier: 6 }).send[Symbol.iterator]();
    segments.next();
    sender.receive({ kind: 'fileCall', file: 5, section: 1, qualifier: 7 });
    expect(segments.next().done).toBe(true);
  });

  it('survives any element in any state', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const element: fc.Arbitrary<FileElement> = fc.oneof(
      fc.record({
        kind: fc.constant('fileReady' as const),
        file: fc.constantFrom(5, 6),
        length: fc.nat(3000),
        qualifier: octet,
      }),
      fc.record({
        kind: fc.constant('sectionReady' as const),
        file: fc.constantFrom(5, 6),
        section: fc.nat(3),
        length: fc.nat(3000),
        qualifier: octet,
      }),
      fc.record({
        kind: fc.constant('fileCall' as const),
        file: fc.constantFrom(5, 6),
        section: fc.nat(3),
        qualifier: fc.nat(9),
      }),
      fc.record({
        kind: fc.constant('lastSection' as const),
        file: fc.constantFrom(5, 6),
        section: fc.nat(3),
        qualifier: fc.nat(5),
        checksum: octet,
      }),
      fc.record({
        kind: fc.constant('fileAcknowledge' as const),
        file: fc.constantFrom(5, 6),
        section: fc.nat(3),
        qualifier: fc.nat(9),
      }),
      fc.record({
        kind: fc.constant('segment' as const),
        file: fc.constant(5),
        section: fc.nat(3),
        data: fc.uint8Array({ maxLength: 50 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(element, { maxLength: 40 }), (elements) => {
        const sender = new FileSender({ file: 5, content: bytes(300), segmentRoom: 20, sectionSize: 100 });
        const receiver = new FileReceiver({ file: 5, maxLength: 1000 });
        for (const e of elements) {
          expect([...sender.receive(e).send].length).toBeLessThan(20);
          expect([...receiver.receive(e).send].length).toBeLessThan(3);
        }
      }),
    );
  });
});
