import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { useAction } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import type { Explanation } from '../api/problem';
import { ComparisonCode } from '../clusters/registration-card';
import { Button, Icon, Spinner } from '../mdc';
import { clusterListPath, clusterPath } from '../shell/paths';
import { Failure, H1, Muted, useTitle } from '../ui/parts';
import { readFragment, type Returned } from './fragment';

/**
 * Where the publisher's page leads back to: posts the code that came in the fragment, once, and
 * takes it out of the address.
 */
export function ReturnPage() {
  const { t } = useTranslation();
  const [returned] = useState<Returned>(() => readFragment(location.hash));
  const complete = useAction((code: string) =>
    client.POST('/registrations/complete', { body: { code } }));
  const [registration, setRegistration] = useState<Schemas['Registration'] | null>(null);
  const posted = useRef(false);
  useTitle(t('returned.title'));
  useEffect(() => {
    history.replaceState(history.state, '', location.pathname);
    if (!returned.code || posted.current) return;
    posted.current = true;
    complete.run(returned.code, setRegistration);
  }, [returned, complete]);
  if (registration) return <Completed registration={registration} />;
  if (complete.failure) return <Refused failure={complete.failure} />;
  if (returned.code) return <Working />;
  return <Nothing denied={returned.denied} />;
}

function Working() {
  const { t } = useTranslation();
  const registrations = api.useQuery('get', '/registrations', {}, { refetchInterval: 1_000 });
  const claimed = registrations.data?.items.find((item) => item.mine && item.state === 'claimed');
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
