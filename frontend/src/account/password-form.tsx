import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button, Checkbox, Password } from '../mdc';
import { useSession } from '../session';
import { help } from '../ui/help';
import { useNotify } from '../ui/notices';
import { Failure, Section, When } from '../ui/parts';

/** Changes the own password. */
export function PasswordForm({ account }: { account: Schemas['Account'] }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { zone } = useSession().organization;
  const [values, setValues] = useState({ current: '', new: '' });
  const [revoke, setRevoke] = useState(false);
  const [tried, setTried] = useState(false);
  const change = useAction((body: Schemas['ChangePassword']) =>
    client.PUT('/account/password', { body }));
  const { failure } = change;
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    setTried(true);
    if (change.busy || values.current === '' || values.new === '') return;
    change.run({ ...values, revoke }, () => {
      setValues({ current: '', new: '' });
      setRevoke(false);
      setTried(false);
      notify(t(revoke ? 'account.passwordChangedRevoked' : 'account.passwordChanged'));
    });
  };
  const field = (name: 'current' | 'new', label: string, otherwise?: string) => {
    const missing = tried && values[name] === '';
    const refused = failure?.field === name ? failure.sentence : undefined;
    return (
      <Password label={label} name={`${name}-password`} autocomplete="off" required
        value={values[name]}
        onInput={(event) => setValues({ ...values, [name]: event.target.value })}
        showButtonAriaLabel={t('account.showOf', { label })}
        hideButtonAriaLabel={t('account.hideOf', { label })}
        {...help(missing ? t('required') : refused, otherwise)} />
    );
  };
  const [before, after] = t('account.passwordSince', { time: '\n' }).split('\n');
  const since = account.password_changed_at;
  return (
    <Section id="password" title={t('signIn.password')} lead={(
      <>
        {t('account.passwordText')}{' '}
        {since && <>{before}<When at={since} zone={zone} />{after}</>}
      </>
    )}>
      <form className="stack form" noValidate onSubmit={submit}>
        {field('current', t('account.currentPassword'))}
        {field('new', t('account.newPassword'), t('account.passwordHelp'))}
        <Checkbox name="revoke" label={t('account.revokeToo')} helpText={t('account.revokeTooHelp')}
          checked={revoke} onChange={(event) => setRevoke(event.target.checked)} />
        <Failure failure={failure && !['current', 'new'].includes(failure.field ?? '')
          ? failure : null} />
        <div className="actions">
          <Button disabled={change.busy} onClick={() => submit()}>
            {t('account.changePassword')}
          </Button>
        </div>
      </form>
    </Section>
  );
}
