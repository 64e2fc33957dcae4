// The phishing case: somebody in another organization begins a registration for a victim's FQDN and
// gets the victim's node administrator to allow it, in a browser without the session that began it.
import { type Browser, expect, type Page, test } from '@playwright/test';
import { Console, type Language, type Person } from './console.ts';
import { clusters, hub, newOrganization, publisher } from './settings.ts';

test.describe.configure({ mode: 'serial' });

const list = '/services/contact-center/cloud-connect';
const mallory = { organization: 'Mallory & Sons', name: 'Mal Mallory', email: 'mal@mallory.example',
  password: 'seven wet umbrellas lean north' };

/** What the test has counted, for the line that tells it. */
const counted = { allowed: 0, registered: 0, attacker: 0, victim: 0 };

interface Lure {
  language: Language;
  fqdn: string;
  name: string;
  /** Who is signed in at the hub in the victim's browser. */
  victim?: Person;
  /** What the node's page says afterwards, in the victim's language. */
  says: RegExp;
}

const lures: Lure[] = [
  {
    language: 'en', fqdn: clusters.one.fqdn, name: 'Caught by nobody', says: /another browser session/,
    victim: hub,
  },
  {
    language: 'ja', fqdn: clusters.two.fqdn, name: '釣られたクラスタ', says: /2 分以内に Connect Hub への復帰がありませんでした/,
  },
];

/** Begins a registration as the attacker and answers the link that is sent to the victim. */
async function bait(console: Console, lure: Lure): Promise<string> {
  const { page, w } = console;
  await page.goto(list);
  await console.button(w.list.add).or(console.button(w.list.addMore)).click();
  const dialog = console.dialog();
  await console.field(w.add.name, dialog).fill(lure.name);
  await console.field(w.add.fqdn, dialog).fill(lure.fqdn);
  await console.button(w.add.submit, dialog).click();
  await page.locator('input[name=username]').waitFor(); // the attacker is led there too, and stops
  const answer = await page.request.get(`${hub.url}/api/admin/v1/registrations`);
  const { items } = await answer.json() as {
    items: { display_name: string; state: string; open_url?: string }[];
  };
  const begun = items.find((one) => one.display_name === lure.name && one.state === 'pending');
  expect(begun?.open_url).toContain(`https://${lure.fqdn}:`);
  return begun!.open_url!;
}

/** The victim's administrator opens the link, signs in on the node, and allows what it asks. */
async function fall(page: Page, link: string) {
  await page.goto(link);
  await page.locator('input[name=username]').fill(publisher.username);
  await page.locator('input[name=password]').fill(publisher.password);
  await page.locator('button[type=submit]').first().click();
  await expect(page.locator('#organization')).toHaveText(mallory.organization);
  await expect(page.locator('#domain .chip.warn')).toBeVisible();
  await expect(page.locator('#test-result.good')).toBeVisible();
  await page.locator('input[name=allow]').check();
  await page.locator('#continue').click();
  counted.allowed++;
}

/** The node's own page, signed in. */
async function nodePage(browser: Browser, lure: Lure, link: string): Promise<Page> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true, locale: lure.language === 'ja' ? 'ja-JP' : 'en-US',
  });
  const page = await context.newPage();
  await page.goto(new URL('/sign-in', link).href);
  await page.locator('input[name=username]').fill(publisher.username);
  await page.locator('input[name=password]').fill(publisher.password);
  await page.locator('button[type=submit]').first().click();
  await page.locator('#registered').waitFor();
  return page;
}

test('a link of another organization that is allowed registers nothing, and both sides see it',
  async ({ browser }) => {
    test.setTimeout(600_000);
    const attacker = await Console.open(browser, 'en');
    await attacker.accept(newOrganization(mallory.organization, 'en', mallory.email), mallory.name,
      mallory.password);
    const victims: { lure: Lure; link: string; console: Console }[] = [];
    for (const lure of lures) {
      const link = await bait(attacker, lure);
      const console = await Console.open(browser, lure.language);
      if (lure.victim) await console.signIn(lure.victim);
      await fall(console.page, link);
      victims.push({ lure, link, console });
    }

    // Whoever is signed in as somebody else is told that the return is not good here ...
    const [known, unknown] = victims;
    await known!.console.heading(known!.console.w.returned.failed).waitFor();
    await known!.console.check('a return that was refused');
    known!.console.forgive(/4\d\d/);
    // ... and whoever is not signed in is asked to; without the session, nothing follows.
    await unknown!.console.heading(unknown!.console.w.signIn.title).waitFor();

    const { page, w } = attacker;
    await page.goto(list);
    for (const [lure, state] of [[known!.lure, 'burned'], [unknown!.lure, 'expired']] as const) {
      const card = attacker.card(lure.name);
      await expect(card).toHaveAttribute('data-state', state, { timeout: 180_000 });
    }
    await attacker.check('registrations that were burned and have expired');

    for (const { lure, link, console } of victims) {
      const node = await nodePage(browser, lure, link);
      await expect(async () => {
        await node.reload();
        await expect(node.locator('.note.warn').first()).toHaveText(lure.says, { timeout: 1_000 });
      }).toPass({ timeout: 60_000 });
      await expect(node.locator('#registered')).toHaveText(lure.language === 'ja' ? '未登録' : 'Not registered');
      const record = node.locator('#events');
      await expect(record).toContainText(mallory.organization);
      await expect(record).toContainText(`[${publisher.username} `);
      if ((await record.getByText(mallory.organization).count()) >= 2) counted.victim++;
      await node.context().close();
      console.forgive(/40[13]/);
      await console.close();
    }

    // Nothing is registered in either organization.
    const victim = await Console.open(browser, 'en');
    await victim.signIn();
    for (const one of [attacker, victim]) {
      const answer = await one.page.request.get(`${hub.url}/api/admin/v1/clusters`);
      expect(answer.status()).toBe(200);
      const { items } = await answer.json() as { items: { fqdn: string }[] };
      counted.registered += items.filter(({ fqdn }) => lures.some((l) => l.fqdn === fqdn)).length;
    }
    // Both organizations find it in their audit.
    const actions = async (one: Console) => {
      const from = new Date(Date.now() - 3_600_000).toISOString();
      const to = new Date(Date.now() + 60_000).toISOString();
      const answer = await one.page.request.get(
        `${hub.url}/api/admin/v1/audit?from=${from}&to=${to}&max=200`);
      expect(answer.status(), await answer.text()).toBe(200);
      const { items } = await answer.json() as { items: { action: string }[] };
      return items.map(({ action }) => action);
    };
    const theirs = await actions(attacker);
    for (const action of ['registration_begun', 'registration_opened', 'registration_claimed',
      'registration_burned', 'registration_expired']) {
      expect(theirs, 'the audit of who began it').toContain(action);
      counted.attacker++;
    }
    expect(await actions(victim), 'the audit of the victim').toContain('registration_foreign');
    counted.victim++;
    expect(counted).toEqual({ allowed: 2, registered: 0, attacker: 5, victim: 3 });
    test.info().annotations.push({ type: 'proof',
      description: `3.3 lures=${lures.length} allowed=${counted.allowed} `
        + `registered=${counted.registered} attacker_records=${counted.attacker} `
        + `victim_records=${counted.victim} languages=2` });
    await victim.close();
    for (const { lure } of victims) {
      await attacker.card(lure.name).getByRole('button', { name: /./ }).last().click();
    }
    attacker.forgive(/4\d\d/);
    expect(w.list.title).not.toBe('');
    await attacker.close();
  });
