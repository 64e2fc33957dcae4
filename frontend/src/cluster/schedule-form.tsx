import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import type { Explanation } from '../api/problem';
import { Button } from '../mdc';
import { instantInZone } from '../text/time';
import { useNotify } from '../ui/notices';
import { Failure, Section, useLanguage } from '../ui/parts';
import {
  changes, checkDraft, type Draft, type DraftField, draftOf, refusedField, schedulesOf,
} from './draft';
import { ScheduleConfirm } from './schedule-confirm';
import { EmergencyFields, RegularFields, ZoneField } from './schedule-fields';

/**
 * Both schedules of a cluster. What is typed is kept while the page is refreshed around it; what
 * is saved is shown first, old beside new, with the upgrade times that the hub computes from it.
 */
export function ScheduleForm({ cluster }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const notify = useNotify();
  const zones = api.useQuery('get', '/zones', {}, { staleTime: Infinity });
  const [draft, setDraft] = useState<Draft | null>(null);
  const [version, setVersion] = useState(cluster.schedule_version);
  const [tried, setTried] = useState(false);
  const [resets, setResets] = useState(0);
  const [preview, setPreview] = useState<Schemas['SchedulePreview'] | null>(null);
  const params = { path: { clusterId: cluster.id } };
  const ask = useAction((body: Schemas['Schedules']) =>
    client.POST('/clusters/{clusterId}/schedules/preview', { params, body }));
  const save = useAction((schedules: Schemas['Schedules']) =>
    client.PUT('/clusters/{clusterId}/schedules', { params, body: { version, schedules } }));
  useEffect(() => {
    if (!draft) setVersion(cluster.schedule_version);
  }, [draft, cluster.schedule_version]);

  const shown = draft ?? draftOf(cluster.schedules);
  const errors = tried ? checkDraft(shown, zones.data?.items ?? []) : {};
  const changed = changes(cluster.schedules, schedulesOf(shown));
  const refused = refusal(ask.failure ?? save.failure);
  const say = (field: DraftField): string | undefined => {
    const own = errors[field];
    return own ? t(`schedule.${own}`) : refused?.field === field ? refused.sentence : undefined;
  };
  const edit = (part: Partial<Draft>) => {
    ask.reset();
    save.reset();
    setDraft({ ...shown, ...part });
  };
  const reset = () => {
    ask.reset();
    save.reset();
    setTried(false);
    setPreview(null);
    setDraft(null);
    setResets(resets + 1);
  };
  const submit = () => {
    setTried(true);
    if (Object.keys(checkDraft(shown, zones.data?.items ?? [])).length > 0) return;
    ask.run(schedulesOf(shown), setPreview);
  };
  const confirm = () => save.run(schedulesOf(shown), (answer) => {
    reset();
    setVersion(answer.schedule_version);
    const { regular } = answer.next_upgrade;
    notify(t('schedule.saved', {
      time: instantInZone(regular.start, language, answer.schedules.zone),
    }));
  });
  const fields = { draft: shown, edit, say };
  return (
    <Section id="schedule" title={t('schedule.title')} lead={t('schedule.lead')}>
      <div className="schedules">
        <RegularFields {...fields} />
        <EmergencyFields {...fields} />
      </div>
      <ZoneField key={`${cluster.schedules.zone} ${resets}`} {...fields}
        zones={zones.data?.items ?? []} />
      {!preview && <Failure failure={refused && !refused.field ? refused : null} />}
      <div className="actions">
        <Button disabled={changed.length === 0 || ask.busy} onClick={submit}>
          {t('schedule.save')}
        </Button>
        {draft && (
          <Button variant="secondary" onClick={reset}>{t('schedule.reset')}</Button>
        )}
      </div>
      {preview && (
        <ScheduleConfirm cluster={cluster} after={schedulesOf(shown)} preview={preview}
          busy={save.busy} failure={save.failure} onSubmit={confirm}
          onClose={() => {
            save.reset();
            setPreview(null);
          }} />
      )}
    </Section>
  );
}

function refusal(failure: Explanation | null): (Explanation & { field?: DraftField }) | null {
  return failure && { ...failure, field: refusedField(failure.field) };
}
