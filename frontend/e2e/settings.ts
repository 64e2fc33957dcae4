// What the browser tests are told about the hub and the clusters they run against.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; see e2e/README.md`);
  return value;
}

export const hub = {
  url: need('HUB_URL'),
  email: need('ADMIN_EMAIL'),
  password: need('ADMIN_PASSWORD'),
  chromium: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
};

/** Two clusters of two nodes, not yet registered. */
export const clusters = {
  one: { fqdn: process.env['CLUSTER_1'] ?? 'cc-pub.localhost' },
  two: { fqdn: process.env['CLUSTER_2'] ?? 'cd-pub.localhost' },
  /** To which bad things happen. */
  three: { fqdn: process.env['CLUSTER_3'] ?? 'ce-pub.localhost' },
};

/** The application user of the publishers. */
export const publisher = { username: need('NODE_USER'), password: need('NODE_PASSWORD') };

/** A provider of OpenID Connect, and two of its people: a full administrator who was invited, and a stranger. */
export const provider = {
  url: need('OIDC_PROVIDER'),
  email: need('OIDC_EMAIL'),
  stranger: need('OIDC_STRANGER'),
  password: need('OIDC_PASSWORD'),
};

/** Lets the provider be wrong in a way, such as "expired"; no way: it is right again. */
export async function misbehave(...ways: string[]): Promise<void> {
  const answer = await fetch(`${provider.url}/control`,
    { method: 'POST', body: JSON.stringify({ misbehave: ways }) });
  if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
}

/** What the nodes run at first, what the regular release is, and what the emergency one. */
export const versions = { first: '1.0.0', regular: '2.0.0', emergency: '3.0.0' };

/** What the third cluster runs at first, and the releases that it meets. */
export const trouble = { odd: '3.5.0', failing: '4.0.0', good: '5.0.0', slow: '6.0.0' };

/** Publishes a regular release of that version. */
export function publishVersion(version: string) {
  publishBundle(path.join(need('BUNDLES'), `sample-${version}.tar.zst`), 'regular');
}

/**
 * Switches a machine of the third cluster off or on, or lets the hub not have heard of it for 16
 * minutes.
 */
export async function machine(what: 'off' | 'on' | 'silence', node: string): Promise<void> {
  const answer = await fetch(`${need('HANDS')}/${what}/${node}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`${what} ${node}: ${await answer.text()}`);
}

/** Publishes a release as the vendor does, on the hub's command line. */
export function publish(kind: 'regular' | 'emergency') {
  publishBundle(need(kind === 'regular' ? 'BUNDLE_2' : 'BUNDLE_3'), kind);
}

function publishBundle(bundle: string, kind: 'regular' | 'emergency') {
  execFileSync(need('HUB_SERVER'),
    ['release', 'publish', bundle, '--kind', kind, '--data', need('HUB_DATA')],
    { stdio: 'inherit' });
}

/** The cookies of a session that begins with the first test, for what must not be fresh. */
export const earlySession = path.resolve(import.meta.dirname, '../test-results/early-session.json');

/** Where pictures for the documentation go; none are taken when it is empty. */
export const pictures = process.env['IMAGES'] ?? '';

/** How long an upgrade of a whole cluster may take, from its window on. */
export const upgradeTimeout = Number(process.env['UPGRADE_TIMEOUT_SECONDS'] ?? 300) * 1000;

/** Runs a command of the hub's own program, as its operator does, and answers what it printed. */
export function operate(...args: string[]): string {
  return execFileSync(need('HUB_SERVER'), [...args, '--data', need('HUB_DATA')], {
    encoding: 'utf8', env: { ...process.env, CONNECTHUB_PUBLIC_URL: hub.url },
  });
}

/** The organization of the administrator whom the hub began with. */
export const organization = process.env['ORGANIZATION'] ?? 'Demo organization';

/** Makes a user as the operator does, and answers how to sign in. */
export function newUser(of: string, role: string, email: string) {
  const printed = operate('user', 'create', email, '--organization', of, '--role', role);
  const password = /[Pp]assword:?\s+(\S{12,})/.exec(printed)?.[1];
  if (!password) throw new Error(`no password in: ${printed}`);
  return { email, password };
}

/** Runs nodeclient register on the publisher of the first cluster, as its administrator does. */
export function registerAtShell() {
  const shell = spawn(need('NODECLIENT'),
    ['register', '--dir', need('NODE_DIR'), '--accept-organization', organization]);
  let printed = '';
  const find = (form: RegExp) => new Promise<string>((found, failed) => {
    const look = () => {
      const match = form.exec(printed)?.[1];
      if (match) found(match);
    };
    shell.stdout.on('data', look);
    shell.on('close', () => failed(new Error(`not printed: ${form} in: ${printed}`)));
  });
  const collect = (chunk: Buffer) => {
    printed += chunk.toString();
  };
  shell.stdout.on('data', collect);
  shell.stderr.on('data', collect);
  return {
    code: find(/^\s+([A-Z0-9]{4}-[A-Z0-9]{4})$/m),
    fingerprint: find(/with the key\s+(\S+)/),
    ended: new Promise<number | null>((ended) => shell.on('close', ended)),
    printed: () => printed,
  };
}

/** Runs a command of the first publisher's control node, as its administrator does. */
export function controlNode(...command: string[]): string {
  return execFileSync(need('NODECLIENT'), [...command, '--dir', need('NODE_DIR')],
    { encoding: 'utf8' });
}

/**
 * Gives the first publisher an inventory and a connection test of two machines, as an import from an
 * SFTP server and utils deployment test-connection leave them.
 */
export function giveInventory() {
  const text = controlNode('utils', 'system', 'inventory', 'sample', 'UCCE-4000-Agents');
  writeFileSync(path.join(need('NODE_DIR'), 'inventory.json'), JSON.stringify({ versions: [{
    number: 1, time: new Date().toISOString(), by: 'e2e', from: 'e2e',
    text: Buffer.from(text).toString('base64') }] }));
  const tested = new Date().toISOString();
  const result = (name: string, status: string, hints: object[]) => ({ product: 'CUIC',
    group: 'CUIC-Cluster-1', name, side: 'A', address: name, user: 'e2e', status, tested, millis: 1,
    keys: [], hints });
  writeFileSync(path.join(need('NODE_DIR'), 'control', 'connection-test.json'), JSON.stringify({
    from: clusters.one.fqdn, time: tested, nodes: [result('cuic-host-pub', 'ok', []),
      result('cuic-host-sub', 'failed', [{ code: 'no_answer', subject: 'cuic-host-sub' }])] }));
}

/** A full administrator's invitation to an organization that the operator has just made. */
export function newOrganization(name: string, language: string, admin: string): string {
  const printed = operate('organization', 'create', name, '--language', language,
    '--zone', 'Asia/Tokyo', '--admin', admin);
  const link = /\S+\/invitation#\S+/.exec(printed)?.[0];
  if (!link) throw new Error(`no invitation in: ${printed}`);
  return link;
}
