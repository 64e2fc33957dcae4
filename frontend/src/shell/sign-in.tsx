import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client } from '../api/client';
import { Button, Icon, Input, Password, Text } from '../mdc';
import { beginSession } from '../session';
import { Failure, H1, Muted, useTitle } from '../ui/parts';
import { LanguageSwitch, ThemeSwitch } from './switches';

/** Signs in, and leaves the address as it is: a deep link leads on to where it points. */
export function SignIn({ ended }: { ended: boolean }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const [sentAt, setSentAt] = useState(0);
  const signIn = useAction((body: { email: string; password: string }) =>
    client.POST('/session', { body }));
  useTitle(t('signIn.title'));
  const submit = () => {
    setTried(true);
    if (signIn.busy || email.trim() === '' || password === '') return;
    const now = Date.now();
    setSentAt(now);
    signIn.run({ email: email.trim(), password },
      (session) => beginSession(queries, session, Math.max(now, sentAt)));
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit();
  };
  return (
    <div className="sign-in">
      <div className="sign-in-top">
        <LanguageSwitch />
        <ThemeSwitch />
      </div>
      <main className="sign-in-card">
        <div className="brand">
          <Icon name="cloud-filled" size={1.75} />
          <Text tagname="span" type="heading-small-bold">{t('product')}</Text>
        </div>
        <H1>{t('signIn.title')}</H1>
        <Muted>{ended ? t('signIn.ended') : t('signIn.lead')}</Muted>
        <form className="stack" onSubmit={onSubmit} noValidate>
          <Input label={t('signIn.email')} name="email" autocomplete="on" required
            autoFocusOnMount value={email} onInput={(event) => setEmail(event.target.value)}
            {...missing(tried && email.trim() === '', t('required'))} />
          <Password label={t('signIn.password')} name="password" autocomplete="on"
            required value={password} onInput={(event) => setPassword(event.target.value)}
            showButtonAriaLabel={t('signIn.show')} hideButtonAriaLabel={t('signIn.hide')}
            {...missing(tried && password === '', t('required'))} />
          <Failure failure={signIn.failure} />
          <Button size={40} disabled={signIn.busy} onClick={submit}>
            {t('signIn.submit')}
          </Button>
        </form>
      </main>
    </div>
  );
}

function missing(is: boolean, text: string) {
  return is ? { helpText: text, helpTextType: 'error' as const } : {};
}
