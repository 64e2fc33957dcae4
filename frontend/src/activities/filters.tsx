import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { Button, Input } from '../mdc';
import { usePermitted } from '../session';
import { Choice } from '../ui/choice';
import { everything, type Filter, periods } from './filter';

interface Props {
  filter: Filter;
  onChange: (filter: Filter) => void;
}

/** Everything by which the records can be narrowed. */
export function Filters({ filter, onChange }: Props) {
  const { t } = useTranslation();
  const mayReadClusters = usePermitted('listClusters');
  const categories = api.useQuery('get', '/audit/categories', {}, { staleTime: Infinity });
  const clusters = api.useQuery('get', '/clusters', {}, { enabled: mayReadClusters });
  const edit = (part: Partial<Filter>) => onChange({ ...filter, ...part });
  const all = { value: 'all', label: t('activities.all') };
  const narrowed = JSON.stringify(filter) !== JSON.stringify(everything);
  return (
    <div className="filters" role="search" aria-label={t('activities.filters')}>
      <Choice label={t('activities.period')} value={filter.period}
        options={periods.map((period) => ({
          value: period, label: t(`activities.periods.${period}`),
        }))}
        onChoose={(period) => edit({ period })} />
      {filter.period === 'range' && (
        <>
          <Day label={t('activities.first')} value={filter.first}
            onChange={(first) => edit({ first })} />
          <Day label={t('activities.last')} value={filter.last}
            onChange={(last) => edit({ last })} />
        </>
      )}
      <Choice label={t('activities.category')} value={filter.category || 'all'}
        options={[all, ...(categories.data?.items ?? []).map(({ id, name }) => ({
          value: id, label: name,
        }))]}
        onChoose={(category) => edit({ category: category === 'all' ? '' : category })} />
      {mayReadClusters && (
        <Choice label={t('activities.cluster')} value={filter.cluster || 'all'}
          options={[all, ...(clusters.data?.items ?? []).map(({ id, display_name }) => ({
            value: id, label: display_name,
          }))]}
          onChoose={(cluster) => edit({ cluster: cluster === 'all' ? '' : cluster })} />
      )}
      <Input label={t('activities.actor')} value={filter.actor} maxlength={254}
        autocomplete="off" onInput={(event) => edit({ actor: event.target.value })} />
      <Input label={t('activities.target')} value={filter.target} maxlength={254}
        autocomplete="off" onInput={(event) => edit({ target: event.target.value })} />
      {narrowed && (
        <Button variant="tertiary" size={32} onClick={() => onChange(everything)}>
          {t('activities.reset')}
        </Button>
      )}
    </div>
  );
}

/** The browser's own field for a day, which opens a calendar in the reader's language. */
function Day({ label, value, onChange }: {
  label: string; value: string; onChange: (day: string) => void }) {
  return (
    <label className="day">
      <span>{label}</span>
      <input type="date" value={value} onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}
