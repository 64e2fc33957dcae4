import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { weekdayList, weekdays } from '../text/time';
import { useLanguage } from '../ui/parts';
import type { DraftField } from './draft';

/** "2 hours", "90 minutes": the length of a window in words. */
export function useLengthName(): (minutes: number) => string {
  const { t } = useTranslation();
  return (minutes) => {
    const hours = Math.floor(minutes / 60);
    const rest = minutes % 60;
    if (rest === 0) return t('schedule.hours', { count: hours });
    if (hours === 0) return t('schedule.minutes', { count: rest });
    return t('schedule.hoursMinutes', { hours, minutes: rest });
  };
}

/** The name and the value of each setting, for showing old beside new. */
export function useScheduleWords() {
  const { t } = useTranslation();
  const language = useLanguage();
  const lengthName = useLengthName();
  const names: Record<DraftField, string> = {
    time: t('schedule.time'),
    days: t('schedule.frequency'),
    length: t('schedule.length'),
    emergencyTime: t('schedule.emergencyTime'),
    emergencyLength: t('schedule.emergencyLength'),
    zone: t('schedule.zone'),
  };
  const value = (schedules: Schemas['Schedules'], field: DraftField): string => {
    switch (field) {
      case 'time': return schedules.regular.time;
      case 'days': return schedules.regular.days.length === weekdays.length
        ? t('schedule.daily') : weekdayList(schedules.regular.days, language);
      case 'length': return lengthName(schedules.regular.length_minutes);
      case 'emergencyTime': return schedules.emergency.time;
      case 'emergencyLength': return lengthName(schedules.emergency.length_minutes);
      case 'zone': return schedules.zone;
    }
  };
  return { names, value };
}
