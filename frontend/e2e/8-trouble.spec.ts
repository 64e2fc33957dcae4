// What an administrator does when something went wrong: adopt a version, retry, upgrade despite a
// node, override a permit. The third cluster is real, and its machines are switched off and on.
import { type Browser, expect, test } from '@playwright/test';
import { clock, Console, type Language, minuteAfter, say } from './console.ts';
import { clusters, machine, operate, publishVersion, trouble, upgradeTimeout } from './settings.ts';

test.describe.configure({ mode: 'serial' });

const zone = 'Asia/Tokyo';
const list = '/services/contact-center/cloud-connect';
const name = 'Kyoto contact center';
const pub = clusters.three.fqdn;
const sub = pub.replace('pub', 'sub');

/** Opens the cluster's page as its administrator, in a language. */
async function open(browser: Browser, language: Language): Promise<Console> {
  const console = await Console.open(browser, language);
  await console.signIn();
  await console.page.goto(list);
  await console.card(name).getByRole('link').click();
  await console.heading(name).waitFor();
  return console;
}

/** Looks at a dialog in the other language, and closes it by keyboard. */
async function alsoIn(browser: Browser, language: Language, screen: string,
  show: (console: Console) => Promise<void>) {
  const console = await open(browser, language);
  await show(console);
  await console.check(screen);
  await console.page.keyboard.press('Escape');
  await expect(console.dialog()).toHaveCount(0);
  await console.close();
}

/** Types a name into the open dialog and presses its button. */
async function confirm(console: Console, typed: string, button: string) {
  const submit = console.button(button, console.dialog());
  await expect(submit).toBeDisabled();
  await console.dialog().locator('input').fill(typed);
  await submit.click();
  await expect(console.dialog()).toHaveCount(0);
}

/** Lets the regular window open in the next minute. */
async function openWindow(console: Console) {
  await console.field(console.w.schedule.time)
    .fill(clock(minuteAfter(Date.now(), 15_000), zone));
  await console.saveSchedule();
}

test('a version that no release describes is adopted on each node', async ({ browser }) => {
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await console.signIn();
  await console.button(w.list.add).or(console.button(w.list.addMore)).click();
  await console.beginRegistration(name, pub);
  await console.answerOnPublisher('allow');
  await console.button(w.returned.toCluster).click();
  await console.heading(name).waitFor();
  await console.chooseZone(zone);
  const far = clock(Date.now() + 12 * 3_600_000, zone);
  await console.field(w.schedule.time).fill(far);
  await console.field(w.schedule.emergencyTime).fill(far);
  await console.saveSchedule();
  const odd = page.locator('[data-reason=unmanaged_version]');
  await expect(odd).toHaveCount(2, { timeout: 60_000 });

  await console.choose(pub, say(w.node.adopt, { version: trouble.odd }));
  await console.check('the dialog that adopts a version');
  await console.button(w.node.adoptGo, console.dialog()).click();
  await expect(page.getByText(say(w.node.adopted, { name: pub })).first()).toBeVisible();
  await expect(odd).toHaveCount(1);
  await console.close();

  const other = await open(browser, 'ja');
  await other.choose(sub, say(other.w.node.adopt, { version: trouble.odd }));
  await other.check('the dialog that adopts a version');
  await other.button(other.w.node.adoptGo, other.dialog()).click();
  await expect(other.page.locator('[data-reason=unmanaged_version]')).toHaveCount(0);
  await expect(other.page.locator('[data-reason=up_to_date]')).toHaveCount(2);
  await other.close();
});

test('a rollout that a failed node has halted is retried', async ({ browser }) => {
  test.setTimeout(2 * upgradeTimeout + 240_000);
  publishVersion(trouble.failing);
  const console = await open(browser, 'en');
  const { page, w } = console;
  await console.button(w.cluster.upgradeNow).click({ timeout: 60_000 });
  await confirm(console, name, w.cluster.upgradeNow);
  const halted = page.getByText(w.cluster.haltedFailed);
  const busy = page.locator('[data-step]:not([data-step=idle])');
  await expect(halted).toBeVisible({ timeout: upgradeTimeout });
  await expect(busy, 'the node has gone back by itself').toHaveCount(0);
  await expect(page.locator(`[data-version="${trouble.odd}"]`)).toHaveCount(2);
  await console.check('a halted rollout');
  await console.picture('halted');
  await alsoIn(browser, 'ja', 'a halted rollout', async (other) => {
    await expect(other.page.getByText(other.w.cluster.haltedFailed)).toBeVisible();
  });

  await openWindow(console); // a retry waits for the next window as it is known then (R19)
  await console.button(w.cluster.retry).click();
  await expect(page.getByText(w.cluster.retried).first()).toBeVisible();
  await expect(halted).toHaveCount(0);
  await expect(busy.first(), 'it is tried again').toBeVisible({ timeout: 90_000 });
  await expect(halted, 'and fails again').toBeVisible({ timeout: upgradeTimeout });
  operate('release', 'recall', trouble.failing);
  await expect(halted).toHaveCount(0);
  await console.close();
});

test('an upgrade goes on despite a node that is switched off', async ({ browser }) => {
  test.setTimeout(2 * upgradeTimeout + 180_000);
  await machine('off', sub);
  const console = await open(browser, 'en');
  const { page, w } = console;
  await openWindow(console);
  await expect(console.node(sub).getByText(w.nodes.offline)).toBeVisible({ timeout: 60_000 });
  publishVersion(trouble.good);
  await expect(console.node(pub).locator('[data-reason=peer_silent]'))
    .toBeVisible({ timeout: 120_000 });
  const despite = (of: typeof w) => say(of.node.despite, { name: sub });
  await alsoIn(browser, 'ja', 'the dialog to upgrade despite a node',
    (other) => other.choose(sub, despite(other.w)));
  await console.choose(sub, despite(w));
  await console.check('the dialog to upgrade despite a node');
  await console.picture('despite');
  await confirm(console, sub, despite(w));
  const upgraded = page.locator(`[data-version="${trouble.good}"]`);
  await expect(upgraded).toHaveCount(1, { timeout: upgradeTimeout });
  await expect(console.node(pub)).toHaveAttribute('data-version', trouble.good);
  await machine('on', sub);
  await expect(upgraded).toHaveCount(2, { timeout: upgradeTimeout });
  await console.close();
});

test('the permit of a node that fell silent in its upgrade is overridden', async ({ browser }) => {
  test.setTimeout(2 * upgradeTimeout + 180_000);
  const before = await open(browser, 'en');
  publishVersion(trouble.slow);
  await expect(before.page.locator(`[data-node="${pub}"][data-step=soaking]`))
    .toBeVisible({ timeout: upgradeTimeout });
  await before.close();
  await machine('off', pub);
  await machine('silence', pub);

  const console = await open(browser, 'ja');
  const { page, w } = console;
  const lost = page.getByText(say(w.cluster.haltedLost, { node: pub }));
  await expect(lost).toBeVisible({ timeout: 60_000 });
  await console.check('a rollout that a silent node has halted');
  await alsoIn(browser, 'en', 'the dialog that overrides a permit',
    (other) => other.button(other.w.cluster.override).click());
  await console.button(w.cluster.override).click();
  await console.check('the dialog that overrides a permit');
  await console.picture('override');
  await confirm(console, pub, w.cluster.override);
  await expect(lost).toHaveCount(0);
  await expect(console.node(pub).getByText(w.nodes.member.excluded, { exact: true })).toBeVisible();
  await expect(console.node(sub))
    .toHaveAttribute('data-version', trouble.slow, { timeout: upgradeTimeout });
  await machine('on', pub);
  await expect(page.locator(`[data-version="${trouble.slow}"]`))
    .toHaveCount(2, { timeout: upgradeTimeout });
  await expect(console.node(pub).getByText(w.nodes.member.active, { exact: true })).toBeVisible();
  await console.close();
});

test('the cluster is deregistered, and what was published is recalled', async ({ browser }) => {
  const console = await open(browser, 'en');
  const { page, w } = console;
  await console.button(w.deregister.action).click();
  await confirm(console, name, w.deregister.action);
  await page.waitForURL(`**${list}`);
  await expect(console.card(name)).toHaveCount(0);
  for (const version of [trouble.good, trouble.slow]) operate('release', 'recall', version);
  await console.close();
});
