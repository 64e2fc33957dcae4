import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Answer, useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button, Input, Password, Text } from '../mdc';
import { beginSession } from '../session';
import { signInPath } from '../shell/paths';
import { help } from '../ui/help';
import { Failure, H1, Muted, useTitle } from '../ui/parts';
import { Frame } from './frame';
import { useProblemOfAddress } from './problem-of-address';
import { SecondFactorStep } from './second-factor';

type Challenge = Schemas['SecondFactorChallenge'];
type First = { session: Schemas['Session'] } | { challenge: Challenge };

/** The password is right: either that is all, or the second factor comes next. */
export async function firstStep(
  call: Promise<{ data?: unknown; error?: unknown; response: Response }>,
): Promise<Answer<First>> {
  const { data, error, response } = await call;
  if (error !== undefined) return { error };
  return response.status === 202 ? { data: { challenge: data as Challenge } }
    : { data: { session: data as Schemas['Session'] } };
}

/** Signs in, and leaves the address as it is: a deep link leads on to where it points. */
export function SignIn({ ended }: { ended: boolean }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [challenge, setChallenge] = useState<Challenge | null>(null);
  useTitle(t('signIn.title'));
  const done = (session: Schemas['Session'], sentAt: number) =>
    beginSession(queries, session, sentAt);
  return (
    <Frame>
      <H1>{challenge ? t('secondFactor.title') : t('signIn.title')}</H1>
      {challenge ? (
        <>
          <SecondFactorStep challenge={challenge} onDone={done}
            finish={(body) => client.POST('/session/second-factor', { body })} />
          <Button variant="tertiary" size={32} onClick={() => setChallenge(null)}>
            {t('secondFactor.again')}
          </Button>
        </>
      ) : <FirstStep ended={ended} onChallenge={setChallenge} onDone={done} />}
    </Frame>
  );
}

/** Where to go on after the provider: a deep link, but never to the sign-in page again. */
function wayBack(): string {
  return location.pathname === signInPath ? '/' : location.pathname;
}

interface FirstStepProps {
  ended: boolean;
  onChallenge: (challenge: Challenge) => void;
  onDone: (session: Schemas['Session'], sentAt: number) => void;
}

function FirstStep({ ended, onChallenge, onDone }: FirstStepProps) {
  const { t } = useTranslation();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState<'password' | 'oidc' | null>(null);
  const problem = useProblemOfAddress();
  const signIn = useAction((body: { email: string; password: string }) =>
    firstStep(client.POST('/session', { body })));
  const oidc = useAction((body: Schemas['BeginOidc']) => client.POST('/session/oidc', { body }));
  const busy = oidc.busy || signIn.busy;
  const submit = () => {
    setTried('password');
    oidc.reset();
    if (busy || email.trim() === '' || password === '') return;
    const sentAt = Date.now();
    signIn.run({ email: email.trim(), password }, (first) => {
      if ('challenge' in first) onChallenge(first.challenge);
      else onDone(first.session, sentAt);
    });
  };
  const throughOrganization = () => {
    setTried('oidc');
    signIn.reset();
    if (busy || email.trim() === '') return;
    oidc.run({ email: email.trim(), return_to: wayBack() },
      ({ location: provider }) => location.assign(provider));
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit();
  };
  const failure = signIn.failure ?? oidc.failure
    ?? (problem && !tried ? { sentence: problem } : null);
  return (
    <>
      <Muted>{ended ? t('signIn.ended') : t('signIn.lead')}</Muted>
      <form className="stack" onSubmit={onSubmit} noValidate>
        <Input label={t('signIn.email')} name="email" autocomplete="on" required
          autoFocusOnMount value={email} onInput={(event) => setEmail(event.target.value)}
          {...help(tried && email.trim() === '' ? t('required') : undefined)} />
        <Password label={t('signIn.password')} name="password" autocomplete="on"
          required value={password} onInput={(event) => setPassword(event.target.value)}
          showButtonAriaLabel={t('signIn.show')} hideButtonAriaLabel={t('signIn.hide')}
          {...help(tried === 'password' && password === '' ? t('required') : undefined)} />
        <Failure failure={failure} />
        <Button size={40} disabled={busy} onClick={submit}>
          {t('signIn.submit')}
        </Button>
        <div className="or">
          <Text tagname="span" type="body-midsize-regular" className="muted">
            {t('signIn.or')}
          </Text>
        </div>
        <Button size={40} variant="secondary" disabled={busy} onClick={throughOrganization}>
          {t('signIn.organization')}
        </Button>
      </form>
    </>
  );
}
