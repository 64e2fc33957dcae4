import { useTranslation } from 'react-i18next';
import { Checkbox, Input, Radio, RadioGroup } from '../mdc';
import { weekdayName, weekdays } from '../text/time';
import { Choice } from '../ui/choice';
import { help } from '../ui/help';
import { H3, Muted, useLanguage } from '../ui/parts';
import { ZoneChoice } from '../ui/zone-choice';
import { type Draft, type DraftField, lengths } from './draft';
import { useLengthName } from './schedule-words';

interface FieldsProps {
  draft: Draft;
  edit: (part: Partial<Draft>) => void;
  /** What is wrong with a field, if anything. */
  say: (field: DraftField) => string | undefined;
}

export function RegularFields({ draft, edit, say }: FieldsProps) {
  const { t } = useTranslation();
  return (
    <div className="fields" role="group" aria-label={t('schedule.regularTitle')}>
      <H3>{t('schedule.regularTitle')}</H3>
      <Muted>{t('schedule.regularText')}</Muted>
      <Input label={t('schedule.time')} value={draft.time} maxlength={5}
        autocomplete="off" onInput={(event) => edit({ time: event.target.value })}
        {...help(say('time'), t('schedule.timeHelp'))} />
      <RadioGroup name="frequency" label={t('schedule.frequency')}>
        <Radio name="frequency" value="daily" label={t('schedule.daily')}
          checked={draft.daily} onChange={() => edit({ daily: true })} />
        <Radio name="frequency" value="weekly" label={t('schedule.weekly')}
          checked={!draft.daily} onChange={() => edit({ daily: false })} />
      </RadioGroup>
      {!draft.daily && <Days draft={draft} edit={edit} say={say} />}
      <Length label={t('schedule.length')} value={draft.length}
        error={say('length')} onChoose={(length) => edit({ length })} />
    </div>
  );
}

export function EmergencyFields({ draft, edit, say }: FieldsProps) {
  const { t } = useTranslation();
  return (
    <div className="fields" role="group" aria-label={t('schedule.emergencyTitle')}>
      <H3>{t('schedule.emergencyTitle')}</H3>
      <Muted>{t('schedule.emergencyText')}</Muted>
      <Input label={t('schedule.emergencyTime')} value={draft.emergencyTime}
        maxlength={5} autocomplete="off"
        onInput={(event) => edit({ emergencyTime: event.target.value })}
        {...help(say('emergencyTime'), t('schedule.timeHelp'))} />
      <Length label={t('schedule.emergencyLength')} value={draft.emergencyLength}
        error={say('emergencyLength')}
        onChoose={(emergencyLength) => edit({ emergencyLength })} />
    </div>
  );
}

function Days({ draft, edit, say }: FieldsProps) {
  const { t } = useTranslation();
  const language = useLanguage();
  const error = say('days');
  return (
    <div role="group" aria-label={t('schedule.days')}>
      <div className="days">
        {weekdays.map((day) => (
          <Checkbox key={day} name="day" value={day} label={weekdayName(day, language, 'long')}
            checked={draft.days.includes(day)}
            onChange={(event) => edit({
              days: event.target.checked
                ? [...draft.days, day] : draft.days.filter((other) => other !== day),
            })} />
        ))}
      </div>
      <p role="alert" className="wrong">{error}</p>
    </div>
  );
}

function Length({ label, value, error, onChoose }: { label: string; value: number;
  error?: string; onChoose: (minutes: number) => void }) {
  const name = useLengthName();
  const offered = [...new Set([...lengths, value])].sort((one, other) => one - other);
  return (
    <Choice label={label} value={value} error={error} onChoose={onChoose}
      options={offered.map((minutes) => ({ value: minutes, label: name(minutes) }))} />
  );
}

export function ZoneField({ draft, edit, say, zones }: FieldsProps & {
  zones: readonly string[] }) {
  const { t } = useTranslation();
  return (
    <div className="zone">
      <ZoneChoice label={t('schedule.zone')} value={draft.zone} zones={zones}
        help={t('schedule.zoneHelp')} error={say('zone')} onChoose={(zone) => edit({ zone })} />
    </div>
  );
}
