// Signing in through an organization's own provider: a real one, on this machine.
import { expect, test } from '@playwright/test';
import { Console, type Language } from './console.ts';
import { misbehave, provider } from './settings.ts';

test.describe.configure({ mode: 'serial' });

/** Types the address here and the password at the provider, or turns back there. */
async function throughProvider(console: Console, email: string, answer: 'Sign in' | 'Cancel') {
  const { page, w } = console;
  await console.field(w.signIn.email).fill(email);
  await console.button(w.signIn.organization).click();
  await page.waitForURL(`${provider.url}/**`);
  await page.getByLabel('Password').fill(provider.password);
  await page.getByRole('button', { name: answer, exact: true }).click();
}

for (const language of ['en', 'ja'] as Language[]) {
  test(`an invited person signs in through the provider, and again where it is asked (${language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await page.goto('/users');
      await throughProvider(console, provider.email, 'Sign in');
      await console.heading(w.users.title).waitFor();
      await expect(console.row('user', provider.email)).toBeVisible();
      await page.goto('/organization');
      await expect(page.getByText(provider.url)).toBeVisible();
      await console.check('an organization with a provider');
      await page.goto('/account');
      await expect(page.getByText(w.account.by.oidc, { exact: true })).toBeVisible();
      await expect(console.section(w.signIn.password)).toHaveCount(0);
      await console.check('the account of a provider');
      await console.signOut();

      // the provider knows the person still and does not say since when: nothing is confirmed
      await misbehave('no_auth_time');
      await page.goto('/users');
      await console.field(w.signIn.email).fill(provider.email);
      await console.button(w.signIn.organization).click();
      await console.heading(w.users.title).waitFor();
      await misbehave();
      await console.button(w.invitations.invite).click();
      await console.field(w.signIn.email, console.dialog()).fill(`guest-${language}@acme.example`);
      await console.button(w.invitations.invite, console.dialog()).click();
      await console.again().waitFor();
      await console.check('the dialog to sign in again, by a provider');
      await console.picture(`confirm-provider-${language}`);
      const [beside] = await Promise.all([
        page.context().waitForEvent('page'),
        console.button(w.confirmation.open, console.again()).click(),
      ]);
      await beside.getByLabel('Password').fill(provider.password);
      await beside.getByRole('button', { name: 'Sign in', exact: true }).click();
      await expect(console.dialog().locator('.secret')).toContainText('/invitation#');
      await console.button(w.once.done, console.dialog()).click();
      await expect(console.row('invitation', `guest-${language}@acme.example`)).toBeVisible();
      console.forgive(/status of 403 /);
      await console.close();
    });

  test(`whoever is not let in reads why (${language})`, async ({ browser }) => {
    const refusal = (console: Console) =>
      console.page.getByRole('alert').locator('mdc-banner');
    const stranger = await Console.open(browser, language);
    await stranger.page.goto('/');
    await throughProvider(stranger, provider.stranger, 'Sign in');
    const { problem } = stranger.w.signIn;
    await expect(refusal(stranger)).toHaveAttribute('label', problem.oidc_unknown_person);
    await stranger.check('sign-in, refused by the organization');
    await stranger.close();

    const hesitant = await Console.open(browser, language);
    await hesitant.page.goto('/');
    await throughProvider(hesitant, provider.email, 'Cancel');
    await expect(refusal(hesitant)).toHaveAttribute('label', problem.oidc_denied);
    await hesitant.close();

    await misbehave('expired');
    try {
      const deceived = await Console.open(browser, language);
      await deceived.page.goto('/');
      await throughProvider(deceived, provider.email, 'Sign in');
      await expect(refusal(deceived)).toHaveAttribute('label', problem.oidc_failed);
      await deceived.close();
    } finally {
      await misbehave();
    }
  });
}
