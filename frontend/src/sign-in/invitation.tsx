// Where the link of an invitation leads: to a name, a password, and the first session.
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button, Input, Password } from '../mdc';
import { beginSession } from '../session';
import { help } from '../ui/help';
import { Fact, Facts, Failure, H1, Loading, Muted, useTitle } from '../ui/parts';
import { Frame } from './frame';
import { tokenIn } from './invitation-token';

/** Shows what the invitation is to, and accepts it. The token leaves the address at once. */
export function InvitationPage() {
  const { t } = useTranslation();
  const [token] = useState(() => tokenIn(location.hash));
  useTitle(t('invitation.title'));
  useEffect(() => {
    history.replaceState(history.state, '', location.pathname);
  }, []);
  return (
    <Frame>
      <H1>{t('invitation.title')}</H1>
      {token ? <Inspected token={token} /> : (
        <>
          <Muted>{t('invitation.noToken')}</Muted>
          <ToSignIn />
        </>
      )}
    </Frame>
  );
}

function Inspected({ token }: { token: string }) {
  const [offer, setOffer] = useState<Schemas['InvitationOffer'] | null>(null);
  const asked = useRef(false);
  const inspect = useAction((body: Schemas['InvitationToken']) =>
    client.POST('/invitations/inspect', { body }));
  useEffect(() => {
    if (asked.current) return; // accepting ends it: it can be asked for only before
    asked.current = true;
    inspect.run({ token }, setOffer);
  }, [inspect, token]);
  if (offer) return <Accept token={token} offer={offer} />;
  if (!inspect.failure) return <Loading />;
  return (
    <>
      <Failure failure={inspect.failure} />
      <ToSignIn />
    </>
  );
}

function Accept({ token, offer }: { token: string; offer: Schemas['InvitationOffer'] }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const accept = useAction((body: Schemas['AcceptInvitation']) =>
    client.POST('/invitations/accept', { body }));
  const { failure } = accept;
  const submit = () => {
    setTried(true);
    if (accept.busy || name.trim() === '' || password === '') return;
    const sentAt = Date.now();
    accept.run({ token, name: name.trim(), password }, (session) => {
      beginSession(queries, session, sentAt);
      void navigate('/', { replace: true });
    });
  };
  const problem = (field: string, value: string) => {
    if (tried && value.trim() === '') return t('required');
    return failure?.field === field ? failure.sentence : undefined;
  };
  const elsewhere = failure && failure.field !== 'name' && failure.field !== 'password';
  return (
    <>
      <Muted>{t('invitation.lead', offer)}</Muted>
      <Facts>
        <Fact label={t('signIn.email')}>{offer.email}</Fact>
        <Fact label={t('users.role')}>{t(`role.${offer.role}`)}</Fact>
      </Facts>
      <form className="stack" noValidate onSubmit={(event: FormEvent) => {
        event.preventDefault();
        submit();
      }}>
        <Input label={t('invitation.name')} name="name" autocomplete="on" required
          autoFocusOnMount value={name} onInput={(event) => setName(event.target.value)}
          {...help(problem('name', name))} />
        <Password label={t('signIn.password')} name="new-password" autocomplete="off" required
          value={password} onInput={(event) => setPassword(event.target.value)}
          showButtonAriaLabel={t('signIn.show')} hideButtonAriaLabel={t('signIn.hide')}
          {...help(problem('password', password), t('account.passwordHelp'))} />
        <Failure failure={elsewhere ? failure : null} />
        <Button size={40} disabled={accept.busy} onClick={submit}>
          {t('invitation.accept')}
        </Button>
      </form>
    </>
  );
}

function ToSignIn() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  return (
    <Button variant="secondary" size={40} onClick={() => void navigate('/', { replace: true })}>
      {t('invitation.toSignIn')}
    </Button>
  );
}
