import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { Fact, Facts, H3, Muted, Section } from '../ui/parts';
import type { DraftField } from './draft';
import { useScheduleWords } from './schedule-words';

const regular: DraftField[] = ['time', 'days', 'length', 'zone'];
const emergency: DraftField[] = ['emergencyTime', 'emergencyLength', 'zone'];

/** Both schedules for those who may only look. */
export function ScheduleShown({ cluster: { schedules } }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const { names, value } = useScheduleWords();
  const facts = (fields: DraftField[]) => (
    <Facts>
      {fields.map((field) => (
        <Fact key={field} label={names[field]}>
          <span data-setting={field}>{value(schedules, field)}</span>
        </Fact>
      ))}
    </Facts>
  );
  return (
    <Section id="schedule" title={t('schedule.title')}>
      <div className="schedules">
        <div className="fields">
          <H3>{t('schedule.regularTitle')}</H3>
          <Muted>{t('schedule.regularText')}</Muted>
          {facts(regular)}
        </div>
        <div className="fields">
          <H3>{t('schedule.emergencyTitle')}</H3>
          <Muted>{t('schedule.emergencyText')}</Muted>
          {facts(emergency)}
        </div>
      </div>
    </Section>
  );
}
