import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, StaticChip } from '../mdc';
import { endSession, useSession } from '../session';
import { browserOf } from '../text/browser';
import { useNotify } from '../ui/notices';
import { Failure, Loading, Section, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';

/** Where this person is signed in. */
export function Sessions() {
  const { t } = useTranslation();
  const explained = useExplain();
  const sessions = api.useQuery('get', '/account/sessions', {}, {
    refetchInterval: usePollInterval(),
  });
  const items = sessions.data?.items ?? [];
  return (
    <Section id="sessions" title={t('sessions.title')} lead={t('sessions.lead')}>
      {sessions.isPending && <Loading />}
      {!sessions.data && sessions.error && <Failure failure={explained(sessions.error)} />}
      {items.length > 0 && (
        <Table label={t('sessions.title')} actions={t('nodes.actions')} columns={[
          t('sessions.browser'), t('sessions.address'), t('sessions.begun'), t('sessions.used'),
        ]}>
          {items.map((item) => <Row key={item.id} item={item} />)}
        </Table>
      )}
    </Section>
  );
}

function Row({ item }: { item: Schemas['SessionItem'] }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const queries = useQueryClient();
  const { zone } = useSession().organization;
  const end = useAction(async () => {
    const answer = await client.DELETE('/account/sessions/{sessionId}', {
      params: { path: { sessionId: item.id } },
    });
    if (item.current && !answer.error) endSession(queries, false);
    return answer;
  });
  const done = () => {
    if (!item.current) notify(t('sessions.ended'));
  };
  const browser = browserOf(item.user_agent) ?? t('sessions.unknown');
  return (
    <tr role="row" data-current={item.current}>
      <Cell className="node-name" label={t('sessions.browser')}>
        <span title={item.user_agent}>{browser}</span>
        {item.current && <StaticChip color="mint" label={t('sessions.current')} />}
      </Cell>
      <Cell label={t('sessions.address')}>{item.address || t('none')}</Cell>
      <Cell label={t('sessions.begun')}><When at={item.created_at} zone={zone} /></Cell>
      <Cell label={t('sessions.used')}><When at={item.last_used_at} zone={zone} /></Cell>
      <Cell className="node-actions" label={t('nodes.actions')}>
        <Button size={28} variant="secondary" disabled={end.busy}
          aria-label={t('sessions.endOf', { browser })} onClick={() => end.run(undefined, done)}>
          {t('sessions.end')}
        </Button>
        <Failure failure={end.failure} />
      </Cell>
    </tr>
  );
}
