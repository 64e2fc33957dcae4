// The second step of signing in: a passkey, or one of the recovery codes.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Answer, useAction } from '../api/action';
import type { Schemas } from '../api/client';
import { presentPasskey } from '../api/passkey';
import { Button, Input } from '../mdc';
import { help } from '../ui/help';
import { Failure, Muted } from '../ui/parts';

interface Props {
  challenge: Schemas['SecondFactorChallenge'];
  finish: (factor: Schemas['SecondFactor']) => Promise<Answer<Schemas['Session']>>;
  onDone: (session: Schemas['Session'], sentAt: number) => void;
}

/** Asks for the passkey; a recovery code takes its place where one is left. */
export function SecondFactorStep({ challenge, finish, onDone }: Props) {
  const { t } = useTranslation();
  const [byCode, setByCode] = useState(false);
  const [code, setCode] = useState('');
  const [tried, setTried] = useState(false);
  const { challenge_id } = challenge;
  const withPasskey = useAction(async () =>
    finish({ challenge_id, credential: await presentPasskey(challenge.passkey) }));
  const withCode = useAction((recovery_code: string) => finish({ challenge_id, recovery_code }));
  const busy = withPasskey.busy || withCode.busy;
  const submitCode = () => {
    setTried(true);
    if (busy || code.trim() === '') return;
    const now = Date.now();
    withCode.run(code.trim(), (session) => onDone(session, now));
  };
  if (byCode) {
    return (
      <form className="stack" noValidate onSubmit={(event) => {
        event.preventDefault();
        submitCode();
      }}>
        <Muted>{t('secondFactor.codeText')}</Muted>
        <Input label={t('secondFactor.code')} name="recovery_code" required maxlength={32}
          autocomplete="off" autoFocusOnMount value={code}
          onInput={(event) => setCode(event.target.value)}
          {...help(tried && code.trim() === '' ? t('required') : undefined)} />
        <Failure failure={withCode.failure} />
        <Button size={40} disabled={busy} onClick={submitCode}>{t('secondFactor.useCode')}</Button>
        <Button variant="tertiary" size={32} onClick={() => setByCode(false)}>
          {t('secondFactor.toPasskey')}
        </Button>
      </form>
    );
  }
  return (
    <div className="stack">
      <Muted>{t('secondFactor.text')}</Muted>
      <Failure failure={withPasskey.failure} />
      <Button size={40} disabled={busy} prefixIcon="secure-lock-regular" onClick={() => {
        const now = Date.now();
        withPasskey.run(undefined, (session) => onDone(session, now));
      }}>
        {t('secondFactor.usePasskey')}
      </Button>
      {challenge.recovery_codes && (
        <Button variant="tertiary" size={32} onClick={() => setByCode(true)}>
          {t('secondFactor.toCode')}
        </Button>
      )}
    </div>
  );
}
