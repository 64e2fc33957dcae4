import { useInfiniteQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button } from '../mdc';
import { useHubNow, usePermitted, useSession } from '../session';
import { Place } from '../shell/trail';
import { dayOf } from '../text/day';
import { saveFile } from '../ui/once';
import { Failure, H1, Loading, Muted, Section, useTitle } from '../ui/parts';
import { everything, type Filter, type Query, queryOf } from './filter';
import { Filters } from './filters';
import { Records } from './records';

const clockEvery = 60_000;

/** How many records are shown at first, and how many more each time. */
const pageSize = 25;

/** Troubleshooting → Admin activities: who did what, newest first. */
export default function ActivitiesPage() {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const now = useHubNow(clockEvery);
  const [filter, setFilter] = useState<Filter>(everything);
  const query = queryOf(useDeferredValue(filter), now, zone);
  useTitle(t('activities.title'));
  return (
    <div className="page">
      <Place group={t('shell.troubleshooting')} page={t('activities.title')} />
      <div className="page-head">
        <div>
          <H1>{t('activities.title')}</H1>
          <Muted>{t('activities.lead')}</Muted>
        </div>
        {query && <Export query={query} day={dayOf(now, zone)} />}
      </div>
      <Section id="activities" title={t('activities.records')}
        lead={t('cluster.zone', { zone })}>
        <Filters filter={filter} onChange={setFilter} />
        {query ? <Found query={query} filter={filter} /> : <Muted>{t('activities.range')}</Muted>}
      </Section>
    </div>
  );
}

/** Pages of what the filter lets through; the time goes on while it is shown. */
function Found({ query, filter }: { query: Query; filter: Filter }) {
  const { t } = useTranslation();
  const explained = useExplain();
  const poll = usePollInterval();
  const categories = api.useQuery('get', '/audit/categories', {}, { staleTime: Infinity });
  const found = useInfiniteQuery({
    queryKey: ['get', '/audit', filter],
    refetchInterval: poll,
    placeholderData: (before) => before,
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }): Promise<Schemas['AuditList']> => {
      const { data, error } = await client.GET('/audit', {
        signal,
        params: {
          query: { ...query, max: pageSize, ...(pageParam && { cursor: pageParam }) },
        },
      });
      if (!data) throw error;
      return data;
    },
    getNextPageParam: ({ next }: Schemas['AuditList']) => next,
  });
  if (found.isPending) return <Loading />;
  if (!found.data) return <Failure failure={explained(found.error)} />;
  const items = found.data.pages.flatMap((page) => page.items);
  return (
    <>
      {found.error && <Failure failure={explained(found.error)} />}
      <p className="muted" role="status">
        {items.length === 0 ? t('activities.nothing')
          : t('activities.count', { count: items.length })}
      </p>
      {items.length > 0 && <Records items={items} categories={categories.data?.items ?? []} />}
      {found.hasNextPage && (
        <div className="actions">
          <Button variant="secondary" disabled={found.isFetchingNextPage}
            onClick={() => void found.fetchNextPage()}>
            {t('activities.more')}
          </Button>
        </div>
      )}
    </>
  );
}

function Export({ query, day }: { query: Query; day: string }) {
  const { t } = useTranslation();
  const permitted = usePermitted('exportAudit');
  const fetched = useAction(() =>
    client.GET('/audit/export', { params: { query }, parseAs: 'blob' }));
  if (!permitted) return null;
  return (
    <div className="actions">
      <Failure failure={fetched.failure} />
      <Button variant="secondary" prefixIcon="download-regular" disabled={fetched.busy}
        onClick={() => fetched.run(undefined,
          (content) => saveFile(`admin-activities-${day}.csv`, content))}>
        {t('activities.export')}
      </Button>
    </div>
  );
}
