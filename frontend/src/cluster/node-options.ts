// What an administrator may be offered for a node; the hub decides what it accepts.
import type { Schemas } from '../api/client';
import type { Operation } from '../session';

type Node = Schemas['Node'];

export const nodeOptions = [
  'admit', 'adopt', 'despite', 'enter', 'renew', 'leave', 'replace', 'remove',
] as const;
export type NodeOption = (typeof nodeOptions)[number];

/** The operation behind each option. */
const operationOf: Record<NodeOption, Operation> = {
  admit: 'admitNode', adopt: 'adoptVersion', despite: 'upgradeDespite', enter: 'enterMaintenance',
  renew: 'enterMaintenance', leave: 'leaveMaintenance', replace: 'replaceNode',
  remove: 'removeNode',
};

/** Those of the options that a person may use. */
export function permitted(options: NodeOption[], permissions: readonly string[]): NodeOption[] {
  return options.filter((option) => permissions.includes(operationOf[option]));
}

/** The nodes for whose silence or illness the others wait. */
export function blockers(cluster: Schemas['Cluster']): string[] {
  return cluster.nodes.flatMap(({ decision }) =>
    decision?.subject && ['peer_unhealthy', 'peer_silent'].includes(decision.reason)
      ? [decision.subject] : []);
}

export function optionsFor(node: Node, cluster: Schemas['Cluster']): NodeOption[] {
  if (node.member === 'removed') return [];
  const options: NodeOption[] = [];
  if (node.member === 'waiting') options.push('admit');
  if (node.decision?.reason === 'unmanaged_version') options.push('adopt');
  if (blockers(cluster).includes(node.name)) options.push('despite');
  if (node.member === 'active') {
    if (node.maintenance) options.push('renew', 'leave');
    else options.push('enter');
  }
  if (node.member !== 'waiting') options.push('replace');
  options.push('remove');
  return options;
}
