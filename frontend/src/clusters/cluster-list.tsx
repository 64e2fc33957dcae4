import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useExplain } from '../api/action';
import { api, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, Icon, SearchField } from '../mdc';
import { usePermitted } from '../session';
import { Trail } from '../shell/trail';
import { Failure, H1, H2, Loading, Muted, useTitle } from '../ui/parts';
import { AddDialog, type Prefill } from './add-dialog';
import { ClusterCard } from './cluster-card';
import { HeadlessDialog } from './headless-dialog';
import { RegistrationCard } from './registration-card';

/** Services → Contact Center → Cloud Connect. */
export function ClusterList() {
  const { t } = useTranslation();
  const explained = useExplain();
  const poll = usePollInterval();
  const mayAdd = usePermitted('createRegistration');
  const mayApprove = usePermitted('approveHeadless');
  const [search, setSearch] = useState('');
  const [adding, setAdding] = useState<Prefill | null>(null);
  const [byCode, setByCode] = useState(false);
  const query = search.trim() === '' ? {} : { search: search.trim() };
  const all = api.useQuery('get', '/clusters', {}, { refetchInterval: poll });
  const found = api.useQuery('get', '/clusters', { params: { query } }, {
    refetchInterval: poll, placeholderData: (before) => before,
  });
  const registrations = api.useQuery('get', '/registrations', {}, { refetchInterval: poll });
  useTitle(t('list.title'));
  if (all.isPending || registrations.isPending) return <Loading />;
  const failed = all.error ?? registrations.error;
  if (failed && !all.data) {
    return (
      <div className="page">
        <Trail />
        <H1>{t('list.title')}</H1>
        <Failure failure={explained(failed)} />
      </div>
    );
  }
  const clusters = all.data?.items ?? [];
  const open = (registrations.data?.items ?? []).filter((item) => item.state !== 'completed');
  const empty = clusters.length === 0 && open.length === 0;
  return (
    <div className="page">
      <Trail />
      <div className="page-head">
        <div>
          <H1>{t('list.title')}</H1>
          <Muted>{t('list.lead')}</Muted>
        </div>
        <div className="actions">
          {mayApprove && (
            <Button variant="secondary" onClick={() => setByCode(true)}>
              {t('list.byCode')}
            </Button>
          )}
          {mayAdd && !empty && (
            <Button prefixIcon="plus-regular" onClick={() => setAdding({})}>
              {t('list.addMore')}
            </Button>
          )}
        </div>
      </div>
      {!mayAdd && <Muted>{t('role.readOnly')}</Muted>}
      {empty && <Empty onAdd={mayAdd ? () => setAdding({}) : undefined} />}
      {open.length > 0 && <Registrations items={open} onAgain={setAdding} />}
      {clusters.length > 0 && (
        <Clusters items={found.data?.items ?? clusters} search={search} onSearch={setSearch} />
      )}
      {byCode && <HeadlessDialog onClose={() => setByCode(false)} />}
      {adding && <AddDialog prefill={adding} onClose={() => setAdding(null)} />}
    </div>
  );
}

function Empty({ onAdd }: { onAdd?: () => void }) {
  const { t } = useTranslation();
  return (
    <section className="empty" aria-label={t('list.emptyTitle')}>
      <Icon name="cloud-regular" size={4} className="muted" />
      <H2>{t('list.emptyTitle')}</H2>
      <Muted>{t('list.emptyText')}</Muted>
      {onAdd
        ? <Button size={40} prefixIcon="plus-regular" onClick={onAdd}>{t('list.add')}</Button>
        : <Muted>{t('list.emptyReadOnly')}</Muted>}
    </section>
  );
}

function Registrations({ items, onAgain }: {
  items: Schemas['Registration'][]; onAgain: (prefill: Prefill) => void }) {
  const { t } = useTranslation();
  return (
    <section className="group" aria-label={t('list.pending')}>
      <H2>{t('list.pending')}</H2>
      <ul className="cards">
        {items.map((item) => (
          <li key={item.id}><RegistrationCard registration={item} onAgain={onAgain} /></li>
        ))}
      </ul>
    </section>
  );
}

function Clusters({ items, search, onSearch }: {
  items: Schemas['ClusterSummary'][]; search: string; onSearch: (search: string) => void }) {
  const { t } = useTranslation();
  return (
    <section className="group" aria-label={t('list.clusters')}>
      <h2 className="unseen">{t('list.clusters')}</h2>
      <div className="search">
        <SearchField label={t('list.search')} value={search} maxlength={128}
          clearAriaLabel={t('list.clear')} onInput={(event) => onSearch(event.target.value)}
          onClear={() => onSearch('')} />
        <Muted>{t('list.searchHelp')}</Muted>
        <p className="count" role="status">{t('list.count', { count: items.length })}</p>
      </div>
      {items.length === 0 && <Muted>{t('list.nothing', { search: search.trim() })}</Muted>}
      <ul className="cards">
        {items.map((item) => <li key={item.id}><ClusterCard cluster={item} /></li>)}
      </ul>
    </section>
  );
}
