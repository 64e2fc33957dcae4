// What the product is for, from the administrator's chair: register, schedule, postpone, watch,
// deregister. One cluster is looked after in English, the other in Japanese.
import { expect, test } from '@playwright/test';
import { clock, Console, type Language, minuteAfter, say } from './console.ts';
import {
  clusters, newUser, organization, publish, upgradeTimeout, versions,
} from './settings.ts';

test.describe.configure({ mode: 'serial' });

const zone = 'Asia/Tokyo'; // no daylight saving time: one occurrence is exactly a day
const day = 86_400_000;
const list = '/services/contact-center/cloud-connect';

const english = { language: 'en' as Language, name: 'Tokyo contact center', ...clusters.one };
const japanese = { language: 'ja' as Language, name: '大阪コンタクトセンター', ...clusters.two };

async function clusterPage(console: Console, name: string) {
  await console.page.goto(list);
  await console.card(name).getByRole('link').click();
  await console.heading(name).waitFor();
}

test('a registration can be denied on the publisher, and then nothing is registered',
  async ({ browser }) => {
    const console = await Console.open(browser, 'en');
    const { page, w } = console;
    await console.signIn();
    await page.getByRole('heading', { name: w.list.emptyTitle }).waitFor();
    await console.check('the empty list');
    await console.picture('list-empty');
    await console.button(w.list.add).click();
    for (const text of [w.add.fqdnReady, w.add.sameNetwork, w.add.proxy]) {
      await expect(console.dialog().getByText(text)).toBeVisible();
    }
    await console.button(w.add.submit, console.dialog()).click();
    await expect(console.dialog().getByText(w.required).first()).toBeVisible();
    await console.field(w.add.name, console.dialog()).fill('Tokyo');
    await console.field(w.add.fqdn, console.dialog()).fill('192.0.2.1');
    await console.button(w.add.submit, console.dialog()).click();
    await expect(console.dialog().locator('mdc-input[help-text-type=error]')).toHaveCount(1);
    console.forgive(/4\d\d/);
    await console.check('the dialog with a refusal');
    await console.picture('add');
    await console.beginRegistration(english.name, english.fqdn);

    await page.goto(list);
    const card = console.card(english.name);
    await expect(card.getByRole('timer')).toHaveText(/^1[45]:\d\d$/);
    for (const hint of [w.registration.hintNetwork, w.registration.hintName,
      w.registration.hintProxy]) {
      await expect(card.getByText(hint)).toBeVisible();
    }
    await console.check('a pending registration');
    await console.picture('registration-pending');
    await console.button(w.registration.open, card).click();
    await console.answerOnPublisher('deny');
    await page.goto(list);
    await expect(card.getByText(w.registration.denied, { exact: true })).toBeVisible();
    await console.button(say(w.registration.dismissOf, { name: english.name }), card).click();
    await expect(page.getByRole('heading', { name: w.list.emptyTitle })).toBeVisible();
    await console.close();
  });

/** Sets whether whoever registers must type the comparison code. */
async function demandComparison(console: Console, demand = true) {
  const { page, w } = console;
  await page.goto('/organization');
  await console.toggle(w.organization.comparison).setChecked(demand, { force: true });
  await console.button(w.schedule.save).click();
  await expect(console.button(w.schedule.save)).toBeDisabled();
  await page.goto(list);
}

for (const cluster of [english, japanese]) {
  test(`a cluster is registered and has its default schedule at once (${cluster.language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, cluster.language);
      const { page, w } = console;
      await console.signIn();
      const compared = cluster === japanese; // one organization, once without and once with it
      if (compared) await demandComparison(console);
      await console.button(w.list.add).or(console.button(w.list.addMore)).click();
      await console.beginRegistration(cluster.name, cluster.fqdn);
      const code = await console.answerOnPublisher('allow');
      if (compared) {
        await console.heading(w.returned.compareTitle).waitFor();
        await console.check('the return page that asks for the comparison code');
        await console.picture('compare-ja');
        await console.field(w.registration.comparison).fill('ZZZZ-ZZZZ');
        await console.refused(() => console.button(w.returned.compareSubmit).click());
        await console.field(w.registration.comparison).fill(code);
        await page.keyboard.press('Enter');
      }
      await console.heading(say(w.returned.done, { name: cluster.name })).waitFor();
      expect(new URL(page.url()).hash).toBe('');
      await console.check('the return page');
      await console.picture(`registered-${cluster.language}`);
      await console.button(w.returned.toCluster).click();
      await console.heading(cluster.name).waitFor();

      await expect(console.field(w.schedule.time)).toHaveValue('03:00');
      await expect(console.field(w.schedule.emergencyTime)).toHaveValue('03:00');
      await expect(page.getByRole('radio', { name: w.schedule.daily })).toBeChecked();
      expect(await console.next('regular')).toBeGreaterThan(0);
      expect(await console.next('emergency')).toBeGreaterThan(0);
      await expect(page.getByText(w.schedule.lead)).toBeVisible();
      await expect(page.getByRole('switch')).toHaveCount(0);
      await expect(page.getByRole('button', { name: /disable|off|無効|停止/i })).toHaveCount(0);
      await expect(page.getByRole('checkbox')).toHaveCount(0);
      await expect(page.locator('[data-node]')).toHaveCount(2, { timeout: 60_000 });
      await console.check('a cluster');
      await console.picture(`cluster-${cluster.language}`, true);
      if (compared) await demandComparison(console, false);
      await console.close();
    });
}

test('the search finds display names, and an FQDN finds nothing', async ({ browser }) => {
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await console.signIn();
  await expect(page.getByText(w.list.searchHelp)).toBeVisible();
  await expect(page.getByRole('article')).toHaveCount(2);
  await page.getByRole('searchbox').or(console.field(w.list.search)).first().fill('tokyo');
  await expect(page.getByRole('article')).toHaveCount(1);
  await page.getByRole('searchbox').or(console.field(w.list.search)).first().fill(english.fqdn);
  await expect(page.getByRole('article')).toHaveCount(0);
  await expect(page.getByText(say(w.list.nothing, { search: english.fqdn }))).toBeVisible();
  await console.close();
});

for (const cluster of [english, japanese]) {
  test(`both schedules are changed after comparing old and new (${cluster.language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, cluster.language);
      const { page, w } = console;
      await console.signIn();
      await clusterPage(console, cluster.name);
      const far = clock(Date.now() + 12 * 3_600_000, zone);
      await console.field(w.schedule.time).fill('7:5x');
      await console.button(w.schedule.save).click();
      await expect(page.getByText(w.schedule.timeWrong).first()).toBeVisible();
      await console.chooseZone('Australia/Lord_Howe');
      await console.button(w.schedule.reset).click();
      await expect(page.getByRole('combobox', { name: w.schedule.zone }))
        .not.toHaveValue('Australia/Lord_Howe');
      await console.chooseZone(zone);
      await console.field(w.schedule.time).fill(far);
      await console.field(w.schedule.emergencyTime).fill(far);
      await page.getByRole('radio', { name: w.schedule.weekly }).check({ force: true });
      await console.check('the schedule with its days');
      await page.getByRole('radio', { name: w.schedule.daily }).check({ force: true });
      await console.button(w.schedule.save).click();
      const changed = console.dialog().locator('[data-changed]');
      await expect(changed.filter({ hasText: far })).toHaveCount(2);
      const resulting = console.dialog().locator('[data-result=regular] time').last();
      const promised = Date.parse((await resulting.getAttribute('datetime')) ?? '');
      expect(clock(promised, zone)).toBe(far);
      await console.check('the comparison of schedules');
      await console.picture(`schedule-confirm-${cluster.language}`);
      await console.button(w.confirm, console.dialog()).click();
      await console.dialog().waitFor({ state: 'detached' });
      await expect.poll(() => console.next('regular')).toBe(promised);
      await expect.poll(async () => clock(await console.next('emergency'), zone)).toBe(far);
      await console.close();
    });
}

for (const cluster of [english, japanese]) {
  test(`a read-only administrator sees a cluster and no controls (${cluster.language})`,
    async ({ browser }) => {
      const reader = newUser(organization, 'read_only_admin',
        `reader-${cluster.language}@demo.example`);
      const console = await Console.open(browser, cluster.language);
      const { page, w } = console;
      await console.signIn(reader);
      await console.card(cluster.name).waitFor();
      await expect(console.button(w.list.addMore)).toHaveCount(0);
      await expect(console.button(w.list.byCode)).toHaveCount(0);
      await clusterPage(console, cluster.name);
      await expect(page.locator('[data-node]')).toHaveCount(2);
      for (const control of [w.cluster.postpone, w.cluster.upgradeNow, w.schedule.save,
        w.deregister.action, say(w.nodes.actionsOf, { name: cluster.fqdn })]) {
        await expect(console.button(control)).toHaveCount(0);
      }
      await expect(page.locator('[data-setting=time]')).toHaveText(/^\d\d:\d\d$/);
      await expect(console.section(w.schedule.title).locator('input')).toHaveCount(0);
      await console.check('a cluster, read only');
      await console.picture(`read-only-${cluster.language}`);
      const refusals = await page.evaluate(async () => Promise.all([
        ['POST', '/registrations'], ['POST', '/invitations'], ['GET', '/audit/categories'],
      ].map(async ([method, path]) => (await fetch(`/api/admin/v1${path}`, {
        method, headers: { 'Content-Type': 'application/json' },
        ...(method === 'POST' ? { body: '{}' } : {}),
      })).status)));
      expect(refusals).toEqual([403, 403, 403]);
      console.forgive(/status of 403 /);
      await console.close();
    });
}

test('a release waits for the window, and the nodes say why', async ({ browser }) => {
  publish('regular');
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await console.signIn();
  await clusterPage(console, english.name);
  const waits = say(w.cluster.pendingRelease, { version: versions.regular });
  await expect(page.getByText(waits)).toBeVisible({ timeout: 60_000 });
  const reasons = page.locator('[data-reason=window_closed]');
  await expect(reasons).toHaveCount(2, { timeout: 60_000 });
  await console.close();
});

for (const cluster of [english, japanese]) {
  test(`postponing moves the next upgrade by exactly one occurrence (${cluster.language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, cluster.language);
      const { page, w } = console;
      await console.signIn();
      await clusterPage(console, cluster.name);
      const before = await console.next('regular');
      const emergency = await console.next('emergency');
      await console.button(w.cluster.postpone).click();
      await console.check('the postpone dialog');
      await console.button(w.cluster.postpone, console.dialog()).click();
      await console.dialog().waitFor({ state: 'detached' });
      await expect.poll(() => console.next('regular')).toBe(before + day);
      expect(await console.next('emergency')).toBe(emergency);
      await expect(page.locator('[data-skipped]')).toBeVisible();
      await console.picture(`postponed-${cluster.language}`);
      await console.button(w.cluster.postponeUndo).click();
      await expect.poll(() => console.next('regular')).toBe(before);
      await console.close();
    });
}

for (const [cluster, other] of [[english, japanese], [japanese, english]] as const) {
  test(`a cluster is upgraded in its own window, live on the page (${cluster.language})`,
    async ({ browser }) => {
      test.setTimeout(upgradeTimeout + 180_000);
      const console = await Console.open(browser, cluster.language);
      const { page, w } = console;
      await console.signIn();
      await page.goto(list);
      const versionOfOther = await console.card(other.name).locator('dd').first().textContent();
      await clusterPage(console, cluster.name);
      await page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));
      const opens = minuteAfter(Date.now(), 20_000);
      await console.field(w.schedule.time).fill(clock(opens, zone));
      await console.saveSchedule();
      const busy = page.locator('[data-step]:not([data-step=idle])');
      await expect(busy.first()).toBeVisible({ timeout: opens - Date.now() + upgradeTimeout });
      expect(Date.now()).toBeGreaterThanOrEqual(opens);
      await console.picture(`upgrading-${cluster.language}`, true);
      const upgraded = page.locator(`[data-version="${versions.regular}"]`);
      await expect(upgraded).toHaveCount(2, { timeout: upgradeTimeout });
      await expect(page.getByText(w.cluster.nothingPending)).toBeVisible({ timeout: 60_000 });
      expect(await page.evaluate(() => 'neverReloaded' in globalThis)).toBe(true);
      await console.check('an upgraded cluster');
      await console.picture(`upgraded-${cluster.language}`, true);
      await page.goto(list);
      await expect(console.card(other.name).locator('dd').first())
        .toHaveText(versionOfOther ?? '');
      await console.picture(`list-${cluster.language}`);
      await console.close();
    });
}

test('an emergency release takes the emergency window, or at once where that is asked', async ({ browser }) => {
  test.setTimeout(upgradeTimeout + 180_000);
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await console.signIn();
  await clusterPage(console, english.name);
  await console.field(w.schedule.time).fill(clock(Date.now() + 12 * 3_600_000, zone));
  await console.saveSchedule();
  await expect(page.locator('[data-step]:not([data-step=idle])')).toHaveCount(0);
  publish('emergency');
  const waits = say(w.cluster.pendingEmergency, { version: versions.emergency });
  await expect(page.getByText(waits)).toBeVisible({ timeout: 60_000 });
  const opens = minuteAfter(Date.now(), 20_000);
  await console.field(w.schedule.emergencyTime).fill(clock(opens, zone));
  await console.saveSchedule();

  const other = await Console.open(browser, 'ja');
  await other.signIn();
  await clusterPage(other, japanese.name);
  await other.button(other.w.cluster.upgradeNow).click();
  await other.dialog().locator('input').fill(japanese.name);
  await other.check('the dialog to upgrade now');
  await other.button(other.w.cluster.upgradeNow, other.dialog()).click();
  await other.dialog().waitFor({ state: 'detached' });
  await expect(other.page.locator('[data-next=extra]')).toBeVisible();
  await expect(other.page.locator('[data-step]:not([data-step=idle])').first())
    .toBeVisible({ timeout: upgradeTimeout });

  const upgraded = page.locator(`[data-version="${versions.emergency}"]`);
  await expect(upgraded).toHaveCount(2, { timeout: opens - Date.now() + upgradeTimeout });
  expect(Date.now()).toBeGreaterThanOrEqual(opens);
  await expect(page.getByText(w.cluster.nothingPending)).toBeVisible({ timeout: 60_000 });
  await console.close();
  await expect(other.page.locator(`[data-version="${versions.emergency}"]`))
    .toHaveCount(2, { timeout: upgradeTimeout });
  await other.close();
});

for (const [name, scheme, width] of [
  ['dark', 'dark', 1360], ['narrow', 'light', 390], ['narrow-dark', 'dark', 390],
] as const) {
  test(`every screen also fits: ${name}`, async ({ browser }) => {
    const show = name !== 'narrow-dark'; // checked all the same; one picture more tells nothing
    for (const cluster of [english, japanese]) {
      const console = await Console.open(browser, cluster.language, { scheme, width });
      const { page, w } = console;
      await console.signIn();
      await console.card(cluster.name).waitFor();
      await console.check(`the list, ${name}`);
      if (show) await console.picture(`list-${name}-${cluster.language}`);
      if (width < 960) {
        await console.button(w.shell.openNavigation).click();
        await console.check(`the navigation, ${name}`);
        await page.getByRole('menuitem', { name: w.shell.cloudConnect }).click();
      }
      await console.button(w.list.addMore).click();
      await console.check(`the dialog, ${name}`);
      if (show) await console.picture(`add-${name}-${cluster.language}`);
      await page.keyboard.press('Escape');
      await clusterPage(console, cluster.name);
      await console.check(`a cluster, ${name}`);
      if (show) await console.picture(`cluster-${name}-${cluster.language}`, true);
      await console.close();
    }
  });
}

test('losing the hub is said, and heals by itself', async ({ browser }) => {
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await console.signIn();
  await console.card(english.name).waitFor();
  await page.context().setOffline(true);
  await expect(page.getByText(w.error.lost)).toBeVisible({ timeout: 40_000 });
  await expect(console.card(english.name)).toBeVisible();
  await console.picture('connection-lost');
  await page.context().setOffline(false);
  await expect(page.getByText(w.error.lost)).toHaveCount(0, { timeout: 40_000 });
  console.forgive(/ERR_INTERNET_DISCONNECTED|Failed to load resource/);
  await console.close();
});

test('maintenance mode is entered and left with the keyboard alone', async ({ browser }) => {
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await console.signIn();
  await clusterPage(console, english.name);
  const node = console.node(english.fqdn);
  const menu = console.button(say(w.nodes.actionsOf, { name: english.fqdn }));
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: w.node.enter }).press('Enter');
  await console.field(w.node.reason, console.dialog()).focus();
  await page.keyboard.type('Disk replacement');
  await console.check('the maintenance dialog');
  await console.picture('maintenance');
  await page.keyboard.press('Enter');
  await expect(node.getByText(w.nodes.maintenance, { exact: true })).toBeVisible();
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: w.node.leave }).press('Enter');
  await expect(node.getByText(w.nodes.maintenance, { exact: true })).toHaveCount(0);
  await console.close();
});

test('a node is replaced on its own page, removed after its name was typed, and admitted again',
  async ({ browser }) => {
    const console = await Console.open(browser, 'en');
    const { page, w } = console;
    await console.signIn();
    await clusterPage(console, english.name);
    await console.choose(english.fqdn, w.node.replace);
    await console.check('the replace dialog');
    await console.button(w.node.replaceGo, console.dialog()).click();
    await page.waitForURL(/^https:/);
    await page.goto(list);
    const card = page.locator('[data-registration]').filter({
      hasText: w.registration.replacement });
    await expect(card).toBeVisible();
    await console.check('a pending replacement');
    await console.button(w.registration.cancel, card).click();
    await expect(card).toHaveCount(0);

    await clusterPage(console, english.name);
    const subscriber = english.fqdn.replace('pub', 'sub');
    await console.choose(subscriber, w.node.remove);
    await console.dialog().locator('input').fill(subscriber);
    await console.check('the remove dialog');
    await console.button(w.node.remove, console.dialog()).click();
    await console.dialog().waitFor({ state: 'detached' });
    // its machine runs on and asks to join again: that is for an administrator to admit
    const { waiting, active } = w.nodes.member;
    await expect(console.node(subscriber).getByText(waiting)).toBeVisible({ timeout: 120_000 });
    await console.check('a node that waits for admission');
    await console.choose(subscriber, w.node.admit);
    await expect(console.node(subscriber).getByText(active, { exact: true })).toBeVisible();
    await console.close();
  });

for (const cluster of [english, japanese]) {
  test(`a cluster is deregistered after its name was typed (${cluster.language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, cluster.language);
      const { page, w } = console;
      await console.signIn();
      await clusterPage(console, cluster.name);
      await console.button(w.deregister.action).click();
      const confirm = console.button(w.deregister.action, console.dialog());
      const typed = console.dialog().locator('input');
      await typed.fill(cluster.name.slice(1));
      await expect(confirm).toBeDisabled();
      await typed.fill(cluster.name);
      await console.check('the deregister dialog');
      await console.picture(`deregister-${cluster.language}`);
      await confirm.click();
      await page.waitForURL(`**${list}`);
      await expect(console.card(cluster.name)).toHaveCount(0);
      await console.close();
    });
}
