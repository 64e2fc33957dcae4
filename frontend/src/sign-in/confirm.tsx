// Signing in again within a session: one dialog, whatever it was that the hub wants confirmed.
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation } from 'react-router';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { ConfirmContext } from '../api/confirmation';
import { Password } from '../mdc';
import { renewSession, useSession } from '../session';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { Muted } from '../ui/parts';
import { awaitConfirmed, confirmedPath } from './confirmed';
import { useProblemOfAddress } from './problem-of-address';
import { SecondFactorStep } from './second-factor';
import { firstStep } from './sign-in';

type Settle = (confirmed: boolean) => void;

/** Lets every change below ask to sign in again; what is half filled in stays where it is. */
export function Confirmation({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const waiting = useRef<Settle[]>([]);
  const confirm = useCallback(() => new Promise<boolean>((settle) => {
    waiting.current.push(settle);
    setOpen(true);
  }), []);
  const settle = useCallback((confirmed: boolean) => {
    setOpen(false);
    for (const each of waiting.current.splice(0)) each(confirmed);
  }, []);
  const done = useCallback((session: Schemas['Session'], sentAt: number) => {
    renewSession(queries, session, sentAt);
    settle(true);
  }, [queries, settle]);
  return (
    <ConfirmContext value={confirm}>
      {children}
      {open && <ConfirmDialog onDone={done} onClose={() => settle(false)} />}
      <CameBack />
    </ConfirmContext>
  );
}

/** Says what went wrong where no second window could be opened and this one went and came back. */
function CameBack() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const problem = useProblemOfAddress();
  const [seen, setSeen] = useState(false);
  if (!problem || seen || pathname === confirmedPath) return null;
  return (
    <Modal size="small" title={t('confirmation.notDone')} text={problem} closes={t('close')}
      onClose={() => setSeen(true)} />
  );
}

interface DialogProps {
  onDone: (session: Schemas['Session'], sentAt: number) => void;
  onClose: () => void;
}

function ConfirmDialog(props: DialogProps) {
  const { method } = useSession();
  return method === 'oidc' ? <ByProvider {...props} /> : <ByPassword {...props} />;
}

function ByPassword({ onDone, onClose }: DialogProps) {
  const { t } = useTranslation();
  const { user } = useSession();
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const [challenge, setChallenge] = useState<Schemas['SecondFactorChallenge'] | null>(null);
  const stepUp = useAction((body: Schemas['StepUp']) =>
    firstStep(client.POST('/session/step-up', { body })));
  const submit = () => {
    setTried(true);
    if (password === '') return;
    const sentAt = Date.now();
    stepUp.run({ password }, (first) => {
      if ('challenge' in first) setChallenge(first.challenge);
      else onDone(first.session, sentAt);
    });
  };
  if (challenge) {
    return (
      <Modal className="confirming" size="small" title={t('confirmation.title')}
        onClose={onClose}>
        <SecondFactorStep challenge={challenge} onDone={onDone}
          finish={(body) => client.POST('/session/step-up/second-factor', { body })} />
      </Modal>
    );
  }
  return (
    <Modal className="confirming" size="small" title={t('confirmation.title')}
      text={t('confirmation.text')} submit={t('confirmation.submit')} busy={stepUp.busy}
      failure={stepUp.failure} onSubmit={submit} onClose={onClose}>
      <Muted>{user.email}</Muted>
      <Password label={t('signIn.password')} name="password" autocomplete="on" required
        value={password} onInput={(event) => setPassword(event.target.value)}
        showButtonAriaLabel={t('signIn.show')} hideButtonAriaLabel={t('signIn.hide')}
        {...help(tried && password === '' ? t('required') : undefined)} />
    </Modal>
  );
}

/**
 * The provider opens in a window beside this one, so that what is half filled in stays. Where the
 * browser opens no second window, this one goes there and comes back to the same screen.
 */
function ByProvider({ onDone, onClose }: DialogProps) {
  const { t } = useTranslation();
  const { organization } = useSession();
  const [waits, setWaits] = useState(false);
  const begin = useAction((return_to: string) =>
    client.POST('/session/step-up/oidc', { body: { return_to } }));
  const read = useAction(() => client.GET('/session'));
  const confirmed = useRef(() => undefined as void);
  confirmed.current = () => {
    const sentAt = Date.now();
    read.run(undefined, (session) => onDone(session, sentAt));
  };
  useEffect(() => awaitConfirmed(() => confirmed.current()), []);
  const submit = () => {
    const beside = window.open('about:blank', '_blank', 'popup,width=520,height=680');
    begin.run(beside ? confirmedPath : location.pathname, ({ location: provider }) => {
      if (beside) beside.location.href = provider;
      else location.assign(provider);
      setWaits(true);
    });
  };
  return (
    <Modal className="confirming" size="small" title={t('confirmation.title')}
      text={t('confirmation.provider', { organization: organization.name })}
      submit={t('confirmation.open')} busy={begin.busy || read.busy}
      failure={begin.failure ?? read.failure} onSubmit={submit} onClose={onClose}>
      {waits && <Muted>{t('confirmation.waits')}</Muted>}
    </Modal>
  );
}
