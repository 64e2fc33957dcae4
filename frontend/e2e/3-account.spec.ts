// One's own account: passkeys with a security key of the browser's, recovery codes, the password,
// sessions, and tokens that programs use.
import { expect, test } from '@playwright/test';
import { Console, type Language, say } from './console.ts';
import { hub, newOrganization } from './settings.ts';

test.describe.configure({ mode: 'serial' });

const password = 'seven amber kettles whistle slowly';
const another = 'nine copper anchors rest quietly';

for (const language of ['en', 'ja'] as Language[]) {
  const admin = { email: `keys-${language}@keys.example`, password };
  const second = { email: `second-${language}@keys.example`, password };

  test(`a passkey is asked for after the password, or a recovery code (${language})`,
    async ({ browser }) => {
      const link = newOrganization(`Keys ${language}`, language, admin.email);
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await console.withSecurityKey();
      await console.accept(link, 'Kay Keys', admin.password);
      await page.goto('/account');
      await console.check('the account');
      await console.button(w.account.addPasskey).click();
      await console.check('the passkey dialog');
      await page.keyboard.press('Escape');
      const codes = await console.addPasskey('Laptop');
      expect(codes.length).toBeGreaterThanOrEqual(8);
      expect(new Set(codes).size).toBe(codes.length);
      await console.check('the recovery codes');
      const [kept] = await Promise.all([
        page.waitForEvent('download'),
        console.button(w.once.download, console.dialog()).click(),
      ]);
      expect(kept.suggestedFilename()).toBe('connect-hub-recovery-codes.txt');
      await console.button(w.once.done, console.dialog()).click();
      await expect(page.getByText(codes[0]!)).toHaveCount(0);
      await expect(page.getByText('Laptop', { exact: true })).toBeVisible();
      await console.picture(`account-${language}`, true);
      await console.signOut();

      await console.signIn(admin, w.secondFactor.title);
      await console.check('the second step');
      await console.picture(`second-factor-${language}`);
      await console.button(w.secondFactor.usePasskey).click();
      await console.heading(w.list.title).waitFor();
      await console.signOut();

      await console.signIn(admin, w.secondFactor.title);
      await console.button(w.secondFactor.toCode).click();
      await console.check('the second step by code');
      await console.field(w.secondFactor.code).fill(codes[0]!);
      await page.keyboard.press('Enter');
      await console.heading(w.list.title).waitFor();
      await console.signOut();

      await console.signIn(admin, w.secondFactor.title); // each code works once
      await console.button(w.secondFactor.toCode).click();
      await console.field(w.secondFactor.code).fill(codes[0]!);
      await console.refused(() => console.button(w.secondFactor.useCode).click());
      await console.button(w.secondFactor.toPasskey).click();
      await console.button(w.secondFactor.usePasskey).click();
      await console.heading(w.list.title).waitFor();
      await page.goto('/account');
      const left = say(w.account.codesLeft_other, { count: codes.length - 1 });
      await expect(page.getByText(left)).toBeVisible();
      await console.close();
    });

  test(`where a second factor is demanded, nothing else opens before it (${language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      const link = newOrganization(`Strict ${language}`, language, second.email);
      await console.withSecurityKey();
      await console.accept(link, 'Sam Second', second.password);
      await page.goto('/account');
      await console.addPasskey('Phone');
      await console.button(w.once.done, console.dialog()).click();
      await page.goto('/organization');
      await console.toggle(w.organization.factor).check({ force: true });
      await console.button(w.schedule.save).click();
      await expect(console.button(w.schedule.save)).toBeDisabled();
      await page.goto('/users');
      await console.button(w.invitations.invite).click();
      await console.field(w.signIn.email, console.dialog()).fill(`new-${language}@keys.example`);
      await console.button(w.invitations.invite, console.dialog()).click();
      const invited = await console.dialog().locator('.secret').textContent() ?? '';

      const other = await Console.open(browser, language);
      await other.withSecurityKey();
      await other.accept(invited, 'Nao New', password, w.account.title);
      await expect(other.page.locator(`mdc-banner[label="${w.account.missing}"]`)).toBeVisible();
      await expect(other.page.getByRole('menuitem', { name: w.shell.cloudConnect })).toHaveCount(0);
      await other.check('the account without its second factor');
      await other.picture(`second-factor-missing-${language}`);
      await other.page.goto('/users');
      await other.heading(w.account.title).waitFor();
      await other.addPasskey('Key');
      await other.button(w.once.done, other.dialog()).click();
      await expect(other.page.getByRole('menuitem', { name: w.shell.cloudConnect })).toBeVisible();
      other.forgive(/403/);
      await other.close();

      await console.button(w.once.done, console.dialog()).click();
      await console.choose('Nao New', w.users.resetFactor);
      await console.dialog().locator('input').fill(`new-${language}@keys.example`);
      await console.check('the dialog that resets a second factor');
      await console.button(w.users.resetFactor, console.dialog()).click();
      await expect(console.dialog()).toHaveCount(0);
      await expect(console.row('user', `new-${language}@keys.example`)
        .getByText(w.users.noFactor, { exact: true })).toBeVisible();
      await console.close();
    });

  test(`a token does what it may, until it is revoked (${language})`,
    async ({ browser, request }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await console.signIn();
      await page.goto('/account');
      await console.button(w.tokens.create).click();
      await console.button(w.tokens.create, console.dialog()).click();
      await expect(console.dialog().getByText(w.tokens.scopeMissing)).toBeVisible();
      await console.field(w.tokens.name, console.dialog()).fill(`Monitoring ${language}`);
      await console.dialog().getByRole('checkbox', { name: w.scope.clusters_read })
        .check({ force: true });
      await console.check('the token dialog');
      await console.button(w.tokens.create, console.dialog()).click();
      const secret = await console.dialog().locator('.secret').textContent() ?? '';
      await console.check('a token, shown once');
      await console.button(w.once.done, console.dialog()).click();
      await expect(page.getByText(secret)).toHaveCount(0);
      const ask = async (path: string) => (await request.get(`${hub.url}/api/admin/v1${path}`, {
        headers: { Authorization: `Bearer ${secret}` },
      })).status();
      expect(await ask('/clusters')).toBe(200);
      expect(await ask('/users')).toBe(403);
      const name = `Monitoring ${language}`;
      await expect(console.row('token', name)).toBeVisible();
      await console.picture(`tokens-${language}`, true);
      await console.button(say(w.tokens.revokeOf, { name })).click();
      await console.button(w.tokens.revoke, console.dialog()).click();
      await expect(console.row('token', name)).toHaveCount(0);
      expect(await ask('/clusters')).toBe(401);
      await console.close();
    });

  test(`a changed password ends every other session (${language})`, async ({ browser }) => {
    const link = newOrganization(`Word ${language}`, language, `word-${language}@word.example`);
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await console.accept(link, 'Wanda Word', password);
    const other = await Console.open(browser, language);
    const person = { email: `word-${language}@word.example`, password };
    await other.signIn(person);
    await page.goto('/account');
    await expect(page.locator('tr[data-current]')).toHaveCount(2);
    await console.button(w.account.changePassword).click();
    await expect(page.getByText(w.required).first()).toBeVisible();
    await console.button(w.tokens.create).click();
    await console.field(w.tokens.name, console.dialog()).fill('Nightly');
    await console.dialog().getByRole('checkbox', { name: w.scope.clusters_read })
      .check({ force: true });
    await console.button(w.tokens.create, console.dialog()).click();
    await console.button(w.once.done, console.dialog()).click();
    await expect(console.row('token', 'Nightly')).toBeVisible();
    await console.field(w.account.currentPassword).fill('not this one at all');
    await console.field(w.account.newPassword).fill(another);
    await console.refused(() => console.button(w.account.changePassword).click());
    await console.field(w.account.currentPassword).fill(password);
    await page.getByRole('checkbox', { name: w.account.revokeToo }).check({ force: true });
    await console.check('the account, with everything to be revoked');
    await console.button(w.account.changePassword).click();
    await expect(page.getByText(w.account.passwordChangedRevoked).first()).toBeVisible();
    await expect(page.locator('tr[data-current]')).toHaveCount(1);
    await expect(console.row('token', 'Nightly')).toHaveCount(0);
    await other.page.goto('/');
    await other.heading(w.signIn.title).waitFor();
    other.forgive(/401/);
    await other.signIn({ ...person, password: another });
    await page.reload();
    await expect(page.locator('tr[data-current]')).toHaveCount(2);
    await page.locator('tr[data-current=false]').getByRole('button').click();
    await expect(page.locator('tr[data-current]')).toHaveCount(1);
    await other.page.goto('/account');
    await other.heading(w.signIn.title).waitFor();
    other.forgive(/401/);
    await other.close();
    await console.close();
  });
}
