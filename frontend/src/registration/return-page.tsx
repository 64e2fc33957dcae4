import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { useAction } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { countdown, left } from '../api/hubclock';
import type { Explanation } from '../api/problem';
import { ComparisonCode } from '../clusters/registration-card';
import { Button, Icon, Input, Spinner } from '../mdc';
import { useHubNow } from '../session';
import { clusterListPath, clusterPath } from '../shell/paths';
import { help } from '../ui/help';
import { Failure, H1, Muted, useTitle } from '../ui/parts';
import { readFragment, type Returned } from './fragment';

/**
 * Where the publisher's page leads back to: posts the code that came in the fragment, once, and
 * takes it out of the address. Where the organization demands it, the person first types the
 * comparison code that the publisher's page has shown.
 */
export function ReturnPage() {
  const { t } = useTranslation();
  const [returned] = useState<Returned>(() => readFragment(location.hash));
  const complete = useAction((body: Schemas['ReturnCode']) =>
    client.POST('/registrations/complete', { body }));
  const [registration, setRegistration] = useState<Schemas['Registration'] | null>(null);
  const posted = useRef(false);
  const claimed = useClaimed(returned.code !== undefined && !registration);
  const { code } = returned;
  useTitle(t('returned.title'));
  useEffect(() => {
    history.replaceState(history.state, '', location.pathname);
  }, []);
  const demanded = claimed.found?.comparison_code_required === true;
  useEffect(() => {
    if (!code || posted.current || !claimed.known || demanded) return;
    posted.current = true;
    complete.run({ code }, setRegistration);
  }, [code, claimed.known, demanded, complete]);
  if (registration) return <Completed registration={registration} />;
  if (code && demanded && claimed.found) {
    return (
      <Compare registration={claimed.found} busy={complete.busy} failure={complete.failure}
        onSubmit={(comparison_code) => {
          posted.current = true; // completed, it is no longer claimed: that is no reason to post
          complete.run({ code, comparison_code }, setRegistration);
        }} />
    );
  }
  if (complete.failure) return <Refused failure={complete.failure} />;
  if (code) return <Working claimed={claimed.found} />;
  return <Nothing denied={returned.denied} />;
}

/** The registration that this session began and the publisher has claimed. */
function useClaimed(wanted: boolean) {
  const registrations = api.useQuery('get', '/registrations', {}, {
    refetchInterval: 1_000, enabled: wanted,
  });
  return {
    known: !registrations.isPending,
    found: registrations.data?.items.find((item) => item.mine && item.state === 'claimed'),
  };
}

function Compare({ registration, busy, failure, onSubmit }: {
  registration: Schemas['Registration']; busy: boolean; failure: Explanation | null;
  onSubmit: (comparison: string) => void }) {
  const { t } = useTranslation();
  const now = useHubNow();
  const [typed, setTyped] = useState('');
  const [tried, setTried] = useState(false);
  const submit = () => {
    setTried(true);
    if (!busy && typed.trim() !== '') onSubmit(typed.trim());
  };
  const ours = failure?.field === 'comparison_code';
  const missing = tried && typed.trim() === '';
  return (
    <div className="empty">
      <H1>{t('returned.compareTitle')}</H1>
      <Muted>{t('returned.compareText', { name: registration.display_name })}</Muted>
      <form className="stack compare-form" noValidate onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}>
        <Input label={t('registration.comparison')} name="comparison_code" required
          maxlength={32} autocomplete="off" autoFocusOnMount value={typed}
          onInput={(event) => setTyped(event.target.value)}
          {...help(missing ? t('required') : ours ? failure.sentence : undefined,
            t('returned.compareHelp'))} />
        <Failure failure={ours ? null : failure} />
        <p className="muted">
          {t('registration.remaining')}{' '}
          <span role="timer">
            {countdown(left(registration.return_by ?? registration.expires_at, now))}
          </span>
        </p>
        <Button size={40} disabled={busy} onClick={submit}>{t('returned.compareSubmit')}</Button>
      </form>
    </div>
  );
}

function Working({ claimed }: { claimed: Schemas['Registration'] | undefined }) {
  const { t } = useTranslation();
  return (
    <div className="empty" role="status">
      <Spinner size="large" aria-label={t('returned.title')} />
      <H1>{t('returned.title')}</H1>
      <Muted>{t('returned.working')}</Muted>
      {claimed?.comparison_code && <ComparisonCode code={claimed.comparison_code} />}
    </div>
  );
}

function Completed({ registration }: { registration: Schemas['Registration'] }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { cluster_id: id, comparison_code: code } = registration;
  return (
    <div className="empty">
      <Icon name="check-circle-badge-filled" size={3} className="good" />
      <H1>{t('returned.done', { name: registration.display_name })}</H1>
      <Muted>
        {registration.kind === 'replacement'
          ? t('returned.doneReplacement') : t('returned.doneText')}
      </Muted>
      {code && <ComparisonCode after code={code} />}
      <div className="actions">
        {id && (
          <Button size={40} onClick={() => void navigate(clusterPath(id))}>
            {t('returned.toCluster')}
          </Button>
        )}
        <ToList secondary={id !== undefined} />
      </div>
    </div>
  );
}

function Refused({ failure }: { failure: Explanation }) {
  const { t } = useTranslation();
  return (
    <div className="empty">
      <Icon name="warning-badge-filled" size={3} className="caution" />
      <H1>{t('returned.failed')}</H1>
      <Failure failure={failure} />
      <ToList />
    </div>
  );
}

function Nothing({ denied }: { denied: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="empty">
      <H1>{denied ? t('returned.deniedTitle') : t('returned.title')}</H1>
      <Muted>{denied ? t('returned.deniedText') : t('returned.noCode')}</Muted>
      <ToList />
    </div>
  );
}

function ToList({ secondary }: { secondary?: boolean }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  return (
    <Button size={40} variant={secondary ? 'secondary' : 'primary'}
      onClick={() => void navigate(clusterListPath)}>
      {t('returned.toList')}
    </Button>
  );
}
