// People: an invitation, roles and their limits, and that somebody is always left who may.
import { expect, test } from '@playwright/test';
import { Console, type Language, type Person, say } from './console.ts';
import { newOrganization } from './settings.ts';

test.describe.configure({ mode: 'serial' });

const password = 'five quiet lanterns drift downstream';

interface Team {
  language: Language;
  organization: string;
  admin: Person & { name: string };
  reader: Person & { name: string };
}

const teams: Team[] = [
  {
    language: 'en', organization: 'Harbour Bank',
    admin: { name: 'Grace Field', email: 'grace@harbour.example', password },
    reader: { name: 'Ben Reader', email: 'ben@harbour.example', password },
  },
  {
    language: 'ja', organization: '東都銀行',
    admin: { name: '田中 愛子', email: 'aiko@toto.example', password },
    reader: { name: '鈴木 健', email: 'ken@toto.example', password },
  },
];

for (const { language, organization, admin, reader } of teams) {
  test(`the first administrator comes by an invitation (${language})`, async ({ browser }) => {
    const link = newOrganization(organization, language, admin.email);
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await page.goto(link);
    await console.field(w.invitation.name).fill(admin.name);
    await console.field(w.signIn.password).fill('password1234');
    await console.refused(() => console.button(w.invitation.accept).click());
    await page.goto('about:blank');
    await console.accept(link, admin.name, admin.password);
    await console.heading(w.list.emptyTitle).waitFor();
    await page.goto('about:blank');
    await page.goto(link); // works once
    await expect(page.getByRole('alert').locator('mdc-banner')).toBeVisible();
    await console.check('an invitation that has ended');
    console.forgive(/4\d\d/);
    await console.close();
  });

  test(`an administrator invites, and a read-only one changes nothing (${language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await console.signIn(admin);
      await page.getByRole('menuitem', { name: w.shell.users }).click();
      await console.heading(w.users.title).waitFor();
      await console.button(w.invitations.invite).click();
      await console.field(w.signIn.email, console.dialog()).fill('not an address');
      await console.refused(() => console.button(w.invitations.invite, console.dialog()).click());
      await console.field(w.signIn.email, console.dialog()).fill(reader.email);
      await console.check('the invite dialog');
      await console.button(w.invitations.invite, console.dialog()).click();
      const link = await console.dialog().locator('.secret').textContent() ?? '';
      expect(link).toContain('/invitation#');
      await console.check('the link of an invitation');
      await console.button(w.once.done, console.dialog()).click();
      await expect(console.row('invitation', reader.email)).toBeVisible();
      await expect(page.getByText(link)).toHaveCount(0);

      const other = await Console.open(browser, language);
      await other.accept(link, reader.name, reader.password);
      await expect(other.button(w.list.add)).toHaveCount(0);
      await expect(other.button(w.list.byCode)).toHaveCount(0);
      await expect(other.page.getByText(w.role.readOnly)).toBeVisible();
      await expect(other.page.getByRole('menuitem', { name: w.shell.activities })).toHaveCount(0);
      await other.check('the empty list, read only');
      await other.page.getByRole('menuitem', { name: w.shell.users }).click();
      await expect(other.row('user', admin.email)).toBeVisible();
      await expect(other.section(w.invitations.title)).toHaveCount(0);
      await expect(other.section(w.users.people).getByRole('button')).toHaveCount(0);
      await other.check('users, read only');
      await other.page.getByRole('menuitem', { name: w.shell.organization }).click();
      await other.section(w.organization.settings).waitFor();
      await expect(other.button(w.schedule.save)).toHaveCount(0);
      await other.check('the organization, read only');
      await other.page.goto('/admin-activities');
      await other.heading(w.error.notFound).waitFor();

      await expect(console.row('user', reader.email)).toBeVisible();
      await expect(console.row('invitation', reader.email)).toHaveCount(0);
      await console.check('users');
      await console.picture(`users-${language}`);
      await other.close();
      await console.close();
    });

  test(`roles change, people are disabled, and a full administrator is left (${language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await console.signIn(admin);
      await page.goto('/users');
      const other = await Console.open(browser, language);
      await other.signIn(reader);

      await console.choose(admin.name, w.users.setRole);
      await console.dialog().getByRole('radio', { name: w.role.read_only_admin })
        .check({ force: true });
      await console.check('the role dialog');
      await console.refused(() => console.button(w.users.setRole, console.dialog()).click());
      await console.picture(`last-admin-${language}`);
      await console.button(w.cancel, console.dialog()).click();

      await console.choose(reader.name, w.users.setRole);
      await console.dialog().getByRole('radio', { name: w.role.full_admin }).check({ force: true });
      await console.button(w.users.setRole, console.dialog()).click();
      await expect(console.row('user', reader.email)).toHaveAttribute('data-role', 'full_admin');
      await other.page.goto('/'); // another role begins with another session
      await other.heading(w.signIn.title).waitFor();
      await other.signIn(reader);
      await expect(other.button(w.list.add)).toBeVisible();

      await console.choose(reader.name, w.users.disable);
      const confirm = console.button(w.users.disable, console.dialog());
      await expect(confirm).toBeDisabled();
      await console.dialog().locator('input').fill(reader.email);
      await console.check('the disable dialog');
      await confirm.click();
      await expect(console.row('user', reader.email)
        .getByText(w.users.disabled, { exact: true })).toBeVisible();
      await other.page.goto('/');
      await other.heading(w.signIn.title).waitFor();

      await console.choose(reader.name, w.users.enable);
      await console.button(w.users.enable, console.dialog()).click();
      await expect(console.row('user', reader.email)
        .getByText(w.users.active, { exact: true })).toBeVisible();
      await other.signIn(reader);
      other.forgive(/401/);
      await other.close();
      await console.close();
    });

  test(`an invitation can be withdrawn (${language})`, async ({ browser }) => {
    const console = await Console.open(browser, language);
    const { page, w } = console;
    const email = 'late@elsewhere.example';
    await console.signIn(admin);
    await page.goto('/users');
    await console.button(w.invitations.invite).click();
    await console.field(w.signIn.email, console.dialog()).fill(email);
    await console.button(w.invitations.invite, console.dialog()).click();
    const link = await console.dialog().locator('.secret').textContent() ?? '';
    await console.button(w.once.done, console.dialog()).click();
    await console.button(say(w.invitations.withdrawOf, { email })).click();
    await expect(console.row('invitation', email)).toHaveCount(0);
    const other = await Console.open(browser, language);
    await other.page.goto(link);
    await expect(other.page.getByRole('alert').locator('mdc-banner')).toBeVisible();
    other.forgive(/4\d\d/);
    await other.close();
    await console.close();
  });

  test(`the organization's settings are kept (${language})`, async ({ browser }) => {
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await console.signIn(admin);
    await page.goto('/organization');
    const comparison = console.toggle(w.organization.comparison);
    await comparison.check({ force: true });
    await console.check('the organization');
    await console.picture(`organization-${language}`);
    await console.button(w.schedule.save).click();
    await expect(console.button(w.schedule.save)).toBeDisabled();
    await page.reload();
    await expect(comparison).toBeChecked();
    await comparison.uncheck({ force: true });
    await console.button(w.schedule.reset).click();
    await expect(comparison).toBeChecked();
    await console.close();
  });
}
