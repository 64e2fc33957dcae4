import { expect, test } from 'vitest';
import type { Schemas } from '../api/client';
import { optionsFor, permitted } from './node-options';

type Node = Schemas['Node'];

function node(part: Partial<Node>): Node {
  return {
    id: '1', name: 'a.example', role: 'subscriber', member: 'active', version: '1.0.0',
    health: 'healthy', step: 'idle', online: true, ...part,
  };
}

function cluster(...nodes: Node[]): Schemas['Cluster'] {
  return { nodes } as Schemas['Cluster'];
}

test('an active node can be taken into maintenance, and out of it', () => {
  const calm = node({});
  expect(optionsFor(calm, cluster(calm))).toEqual(['enter', 'replace', 'remove']);
  const busy = node({ maintenance: { until: '2026-11-22T00:00:00Z', reason: 'disk' } });
  expect(optionsFor(busy, cluster(busy))).toEqual(['renew', 'leave', 'replace', 'remove']);
});

test('a node that joined later can be admitted', () => {
  const late = node({ member: 'waiting' });
  expect(optionsFor(late, cluster(late))).toEqual(['admit', 'remove']);
});

test.each(['peer_unhealthy', 'peer_silent'] as const)(
  'upgrading despite a node is offered on the node that the others wait for: %s', (reason) => {
    const away = node({ name: 'b.example' });
    const waits = node({
      decision: { verb: 'hold', reason, sentence: '…', subject: 'b.example' },
    });
    expect(optionsFor(away, cluster(away, waits))).toContain('despite');
    expect(optionsFor(waits, cluster(away, waits))).not.toContain('despite');
  });

test('a version that no release describes can be adopted', () => {
  const odd = node({ decision: { verb: 'hold', reason: 'unmanaged_version', sentence: '…' } });
  expect(optionsFor(odd, cluster(odd))).toContain('adopt');
});

test('nothing can be done about a node that was removed', () => {
  const gone = node({ member: 'removed' });
  expect(optionsFor(gone, cluster(gone))).toEqual([]);
});

test('nobody is offered what they may not do', () => {
  const calm = node({});
  const options = optionsFor(calm, cluster(calm));
  expect(permitted(options, [])).toEqual([]);
  expect(permitted(options, ['enterMaintenance', 'getCluster'])).toEqual(['enter']);
});
