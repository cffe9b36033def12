import { describe, expect, it } from 'vitest';
import { plainAddress, RedundancyGroups } from '../../src/server/redundancy.ts';

const queueFor = (name: string) => ({ name });

describe('redundancy groups', () => {
  it('a single group lets one connection be started and names the one that has to stop', () => {
    const groups = new RedundancyGroups<string, object>('single-group', [], queueFor);
    const group = groups.groupFor('10.0.0.1')!;
    expect(groups.groupFor('10.0.0.2')).toBe(group);
    expect(group.start('a')).toBeUndefined();
    expect(group.start('b')).toBe('a');
    expect(group.start('b')).toBeUndefined();
    expect(group.stop('a')).toBe(false);
    expect(group.started).toBe('b');
    expect(groups.leave('b', group)).toBe(true);
    expect(group.started).toBeUndefined();
  });

  it('named groups are found by the peer address, and others refused', () => {
    const groups = new RedundancyGroups<string, object>(
      'groups',
      [
        { name: 'north', allow: ['10.0.0.1', '10.0.0.2'] },
        { name: 'south', allow: ['10.0.1.1'] },
      ],
      queueFor,
    );
    expect(groups.groupFor('::ffff:10.0.0.2')?.name).toBe('north');
    expect(groups.groupFor('10.0.1.1')?.name).toBe('south');
    expect(groups.groupFor('10.9.9.9')).toBeUndefined();
  });

  it('a group without addresses takes the rest', () => {
    const groups = new RedundancyGroups<string, object>(
      'groups',
      [{ name: 'north', allow: ['10.0.0.1'] }, { name: 'rest' }],
      queueFor,
    );
    expect(groups.groupFor('10.9.9.9')?.name).toBe('rest');
    expect(() => new RedundancyGroups('groups', [{ name: 'x' }, { name: 'y' }], queueFor)).toThrow(/every address/);
    expect(() => new RedundancyGroups('groups', [], queueFor)).toThrow(/at least one/);
  });

  it('per connection each has a queue of its own that ends with it', () => {
    const groups = new RedundancyGroups<string, object>('per-connection', [], queueFor);
    const a = groups.groupFor('10.0.0.1')!;
    const b = groups.groupFor('10.0.0.1')!;
    expect(a.queue).not.toBe(b.queue);
    expect(a.start('a')).toBeUndefined();
    expect(b.start('b')).toBeUndefined();
    groups.leave('a', a);
    expect([...groups.all()]).toEqual([b]);
  });

  it('reads an IPv4 address out of a dual-stack one', () => {
    expect(plainAddress('::FFFF:127.0.0.1')).toBe('127.0.0.1');
    expect(plainAddress('fe80::1')).toBe('fe80::1');
  });
});
