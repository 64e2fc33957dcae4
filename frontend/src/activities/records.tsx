import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { Button, StaticChip } from '../mdc';
import { useSession } from '../session';
import { browserOf } from '../text/browser';
import { Fact, Facts, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';
import { comparison } from './filter';

const kindNames = {
  user: 'activities.kind.person', node: 'activities.kind.machine', hub: 'activities.kind.hub',
  command: 'activities.kind.command',
} as const;

interface Props {
  items: Schemas['AuditItem'][];
  categories: Schemas['AuditCategory'][];
}

export function Records({ items, categories }: Props) {
  const { t } = useTranslation();
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  return (
    <Table label={t('activities.records')} actions={t('activities.details')} columns={[
      t('activities.time'), t('activities.category'), t('activities.action'),
      t('activities.actor'), t('activities.target'),
    ]}>
      {items.map((item) => (
        <Record key={item.id} item={item} category={names.get(item.category) ?? item.category} />
      ))}
    </Table>
  );
}

function Record({ item, category }: { item: Schemas['AuditItem']; category: string }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const [open, setOpen] = useState(false);
  return (
    <>
      <tr role="row" data-action={item.action} className={open ? 'opened' : undefined}>
        <Cell label={t('activities.time')}><When at={item.timestamp} zone={zone} bare /></Cell>
        <Cell label={t('activities.category')}>
          <StaticChip color="default" label={category} />
        </Cell>
        <Cell label={t('activities.action')}>{item.action_text}</Cell>
        <Cell label={t('activities.actor')} className="node-name">
          <span className="breakable">{item.actor_name || t('none')}</span>
          <span className="muted">{t(kindNames[item.actor_kind])}</span>
        </Cell>
        <Cell label={t('activities.target')}>
          <span className="breakable">{item.target_name || t('none')}</span>
        </Cell>
        <Cell label={t('activities.details')} className="node-actions">
          <Button variant="tertiary" size={28} aria-expanded={open ? 'true' : 'false'}
            aria-label={t('activities.detailsOf', { number: item.sequence })}
            prefixIcon={open ? 'arrow-up-bold' : 'arrow-down-bold'}
            onClick={() => setOpen(!open)} />
        </Cell>
      </tr>
      {open && (
        <tr role="row">
          <td role="cell" colSpan={6} className="details"><Details item={item} /></td>
        </tr>
      )}
    </>
  );
}

function Details({ item }: { item: Schemas['AuditItem'] }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const changed = comparison(item.before, item.after);
  return (
    <div className="stack">
      <Facts>
        <Fact label={t('activities.time')}><When at={item.timestamp} zone={zone} /></Fact>
        <Fact label={t('activities.number')}>{item.sequence}</Fact>
        <Fact label={t('activities.address')}>{item.actor_ip || t('none')}</Fact>
        <Fact label={t('sessions.browser')}>
          <span title={item.actor_user_agent}>
            {browserOf(item.actor_user_agent ?? '') ?? (item.actor_user_agent || t('none'))}
          </span>
        </Fact>
        <Fact label={t('activities.tracking')}>{item.tracking_id || t('none')}</Fact>
      </Facts>
      {changed.length > 0 && (
        <table className="compare">
          <thead>
            <tr>
              <th scope="col">{t('schedule.what')}</th>
              <th scope="col">{t('activities.before')}</th>
              <th scope="col">{t('activities.after')}</th>
            </tr>
          </thead>
          <tbody>
            {changed.map(({ field, before, after }) => (
              <tr key={field} data-field={field}>
                <th scope="row">{field}</th>
                <td className="breakable">{before || t('none')}</td>
                <td className="breakable">{after || t('none')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
