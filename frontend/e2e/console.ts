// The console as a person uses it, and what must be true of every screen.
import AxeBuilder from '@axe-core/playwright';
import { type Browser, expect, type Locator, type Page, test } from '@playwright/test';
import path from 'node:path';
import en from '../src/i18n/en.ts';
import ja from '../src/i18n/ja.ts';
import { hub, pictures, publisher } from './settings.ts';

export type Language = 'en' | 'ja';
export const words = { en, ja };

/** The same sentence with its values put in. */
export function say(sentence: string, values: Record<string, string | number>): string {
  return sentence.replace(/\{\{(\w+)\}\}/g, (_, name: string) => String(values[name]));
}

interface Options {
  scheme?: 'light' | 'dark';
  width?: number;
  /** A file with the cookies of an earlier session. */
  kept?: string;
}

/** Somebody who signs in. */
export interface Person {
  email: string;
  password: string;
}

/** A browser window of one person, who reads one language. */
export class Console {
  readonly w: typeof en;
  private readonly complaints: string[] = [];
  private readonly forgiven: RegExp[] = [];

  private constructor(readonly page: Page, readonly language: Language) {
    this.w = words[language];
  }

  static async open(browser: Browser, language: Language,
    options: Options = {}): Promise<Console> {
    const context = await browser.newContext({
      locale: language === 'ja' ? 'ja-JP' : 'en-US',
      colorScheme: options.scheme ?? 'light',
      viewport: { width: options.width ?? 1360, height: 900 },
      reducedMotion: 'reduce',
      ignoreHTTPSErrors: true,
      baseURL: hub.url,
      ...(options.kept ? { storageState: options.kept } : {}),
    });
    const page = await context.newPage();
    const opened = new Console(page, language);
    await opened.listen();
    return opened;
  }

  /** Collects what a person would not see but must not happen. */
  private async listen() {
    await this.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    this.page.on('pageerror', (error) => this.complaints.push(`thrown: ${error.message}`));
    this.page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const { url } = message.location();
      const ours = url === '' || url.startsWith(hub.url);
      // refusals that are part of the flow, which the browser logs by itself: asking who is signed
      // in before anybody is, and being asked to sign in again before a change
      const asked = url.endsWith('/api/admin/v1/session') && message.text().includes('401');
      if (ours && !asked) this.complaints.push(`${message.text()} ${url}`);
    });
  }

  /** Expects the complaint of the browser about a refusal that a test provokes. */
  forgive(pattern: RegExp) {
    this.forgiven.push(pattern);
  }

  async close() {
    await this.page.context().close();
    const complaints = this.complaints.filter((complaint) =>
      !this.forgiven.some((pattern) => pattern.test(complaint)));
    expect(complaints, 'errors in the console, violations of the policy').toEqual([]);
  }

  /** Signs in with a password; what comes next is the first screen, unless it is said. */
  async signIn(as: Person = hub, next: string = this.w.list.title) {
    const { page, w } = this;
    await page.goto('/');
    await this.button(w.signIn.submit).waitFor();
    await this.field(w.signIn.email).fill(as.email);
    await this.field(w.signIn.password).fill(as.password);
    await this.button(w.signIn.submit).click();
    await this.heading(next).waitFor();
  }

  /** Does something that the hub refuses, and finds its sentence on the screen. */
  async refused(act: () => Promise<void>, status = 400) {
    const { page } = this;
    const [answer] = await Promise.all([
      page.waitForResponse((each) => each.url().includes('/api/admin/v1/')
        && each.status() >= status && each.request().method() !== 'GET'),
      act(),
    ]);
    this.forgive(new RegExp(`status of ${answer.status()} `));
    const { code, detail } = await answer.json() as { code: string; detail: string };
    await expect(page.getByText(detail).locator('visible=true').first(), code).toBeVisible();
  }

  async signOut() {
    const { page, w } = this;
    await page.locator('#account').click();
    await page.getByRole('menuitem', { name: w.shell.signOut }).click();
    await this.heading(w.signIn.title).waitFor();
  }

  /** Opens an invitation, accepts it, and is signed in. */
  async accept(link: string, name: string, password: string, next = this.w.list.title) {
    const { page, w } = this;
    await page.goto(link);
    await this.button(w.invitation.accept).waitFor();
    expect(new URL(page.url()).hash, 'the token stays in the address').toBe('');
    await this.check('an invitation');
    await this.picture(`invitation-${this.language}`);
    await this.field(w.invitation.name).fill(name);
    await this.field(w.signIn.password).fill(password);
    await this.button(w.invitation.accept).click();
    await this.heading(next).waitFor();
  }

  /** Lets the browser have a security key that needs no finger. */
  async withSecurityKey() {
    const devtools = await this.page.context().newCDPSession(this.page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
        isUserVerified: true, automaticPresenceSimulation: true,
      },
    });
  }

  /** Adds a passkey on the account page and answers the recovery codes that came with it. */
  async addPasskey(name: string): Promise<string[]> {
    const { w } = this;
    await this.button(w.account.addPasskey).click();
    await this.field(w.account.passkeyName, this.dialog()).fill(name);
    await this.button(w.account.continue, this.dialog()).click();
    await this.button(w.once.done, this.dialog()).waitFor();
    return this.dialog().locator('.secret').allTextContents();
  }

  /** Chooses from the menu of a row. */
  async choose(menu: string, option: string) {
    await this.button(say(this.w.nodes.actionsOf, { name: menu })).click();
    await this.page.getByRole('menuitem', { name: option, exact: true }).click();
  }

  /** A row of a table, by what it is about. */
  row(attribute: string, value: string): Locator {
    return this.page.locator(`tr[data-${attribute}="${value}"]`);
  }

  button(name: string, within: Page | Locator = this.page): Locator {
    return within.getByRole('button', { name, exact: true });
  }

  heading(name: string): Locator {
    return this.page.getByRole('heading', { name, exact: true });
  }

  /** A text field; its label may end with the mark of a required one. */
  field(label: string, within: Page | Locator = this.page): Locator {
    return within.getByLabel(label).locator('visible=true').and(within.locator('input')).first();
  }

  section(name: string): Locator {
    return this.page.getByRole('region', { name, exact: true });
  }

  dialog(): Locator {
    return this.page.locator('mdc-dialog:not(.confirming)');
  }

  /** The dialog that asks to sign in again. */
  again(): Locator {
    return this.page.locator('mdc-dialog.confirming');
  }

  /** A switch of a form. */
  toggle(name: string): Locator {
    return this.page.getByRole('switch', { name })
      .or(this.page.getByRole('checkbox', { name })).first();
  }

  card(name: string): Locator {
    return this.page.getByRole('article', { name, exact: true });
  }

  node(name: string): Locator {
    return this.page.locator(`[data-node="${name}"]`);
  }

  /** The instant that is shown as the next upgrade, from the element that shows it. */
  async next(kind: 'regular' | 'emergency'): Promise<number> {
    const at = await this.page.locator(`[data-next="${kind}"] time`).getAttribute('datetime');
    return Date.parse(at ?? '');
  }

  /** No finding of axe, and nothing that sticks out sideways. */
  async check(screen: string) {
    test.info().annotations.push({ type: 'checked', description: screen });
    await this.page.locator('h1').first().waitFor({ state: 'attached' }); // the screen has come
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' ')}`);
    expect(found, `axe on ${screen}`).toEqual([]);
    const sideways = await this.page.evaluate(() =>
      [document.documentElement, document.querySelector('main')].some((element) =>
        element && element.scrollWidth > element.clientWidth));
    expect(sideways, `${screen} scrolls sideways`).toBe(false);
  }

  /** A picture for the documentation, of the window or of all that can be scrolled to. */
  async picture(name: string, all = false) {
    if (pictures === '') return;
    const { page } = this;
    const size = page.viewportSize()!;
    if (all) {
      const height = await page.evaluate(() =>
        (document.querySelector('main')?.scrollHeight ?? 800) + 80);
      await page.setViewportSize({ width: size.width, height: Math.min(height, 2600) });
    }
    await page.waitForTimeout(300);
    await page.screenshot({ path: path.join(pictures, `${name}.png`) });
    await page.setViewportSize(size);
  }

  /** Fills the dialog and goes to the publisher's page. */
  async beginRegistration(name: string, fqdn: string) {
    const { w } = this;
    const dialog = this.dialog();
    await this.field(w.add.name, dialog).fill(name);
    await this.field(w.add.fqdn, dialog).fill(fqdn);
    await this.button(w.add.submit, dialog).click();
    await this.page.locator('input[name=username]').waitFor();
  }

  /** Signs in on the publisher's page, allows or denies access there, and answers its code. */
  async answerOnPublisher(answer: 'allow' | 'deny'): Promise<string> {
    const { page } = this;
    await page.locator('input[name=username]').fill(publisher.username);
    await page.locator('input[name=password]').fill(publisher.password);
    await page.locator('button[type=submit]').first().click();
    await page.locator('input[name=allow]').waitFor();
    const code = await page.locator('#comparison-code').textContent() ?? '';
    if (answer === 'allow') {
      await page.locator('input[name=allow]').check();
      await page.getByRole('button', { name: /^(Continue|続行)$/ }).click();
    } else {
      await page.getByRole('button', { name: /^(Deny|拒否)$/ }).click();
    }
    await page.locator('input[name=allow]').waitFor({ state: 'detached' });
    return code;
  }

  /** Saves the schedule that was typed, through the comparison of old and new. */
  async saveSchedule() {
    const { w } = this;
    await this.button(w.schedule.save).click();
    await this.button(w.confirm, this.dialog()).click();
    await this.dialog().waitFor({ state: 'detached' });
  }

  async chooseZone(zone: string) {
    const { page, w } = this;
    const box = page.getByRole('combobox', { name: w.schedule.zone });
    await box.fill(zone);
    await page.getByRole('option', { name: zone, exact: true }).click();
  }
}

/** HH:MM on the clocks of a zone at an instant. */
export function clock(at: number, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
  }).format(at);
}

/** The next whole minute that is at least as far away as asked. */
export function minuteAfter(now: number, atLeast: number): number {
  return Math.ceil((now + atLeast) / 60_000) * 60_000;
}
