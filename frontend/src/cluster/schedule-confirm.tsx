import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import type { Explanation } from '../api/problem';
import { Text } from '../mdc';
import { Modal } from '../ui/modal';
import { When } from '../ui/parts';
import { changes } from './draft';
import { useScheduleWords } from './schedule-words';

interface Props {
  cluster: Schemas['Cluster'];
  after: Schemas['Schedules'];
  preview: Schemas['SchedulePreview'];
  busy: boolean;
  failure: Explanation | null;
  onSubmit: () => void;
  onClose: () => void;
}

/** Old beside new, and what comes of it, before it is saved. */
export function ScheduleConfirm(props: Props) {
  const { t } = useTranslation();
  const { cluster: { schedules: before }, after, preview } = props;
  const { names, value } = useScheduleWords();
  return (
    <Modal size="large" title={t('schedule.confirmTitle')} text={t('schedule.confirmText')}
      submit={t('confirm')} busy={props.busy} failure={props.failure}
      onSubmit={props.onSubmit} onClose={props.onClose}>
      <table className="compare">
        <thead>
          <tr>
            <th scope="col">{t('schedule.what')}</th>
            <th scope="col">{t('schedule.old')}</th>
            <th scope="col">{t('schedule.new')}</th>
          </tr>
        </thead>
        <tbody>
          {changes(before, after).map((field) => (
            <tr key={field} data-changed={field}>
              <th scope="row">{names[field]}</th>
              <td>{value(before, field)}</td>
              <td><strong>{value(after, field)}</strong></td>
            </tr>
          ))}
          <tr className="result" data-result="regular">
            <th scope="row">{t('schedule.resultRegular')}</th>
            <td><When at={preview.current.regular.start} zone={before.zone} /></td>
            <td>
              <strong><When at={preview.resulting.regular.start} zone={after.zone} /></strong>
            </td>
          </tr>
          <tr className="result" data-result="emergency">
            <th scope="row">{t('schedule.resultEmergency')}</th>
            <td><When at={preview.current.emergency.start} zone={before.zone} /></td>
            <td>
              <strong><When at={preview.resulting.emergency.start} zone={after.zone} /></strong>
            </td>
          </tr>
        </tbody>
      </table>
      {preview.upcoming && preview.upcoming.length > 0 && (
        <div>
          <Text tagname="p" type="body-midsize-bold">{t('schedule.upcoming')}</Text>
          <ol className="upcoming">
            {preview.upcoming.map((window) => (
              <li key={window.start}><When at={window.start} zone={after.zone} bare /></li>
            ))}
          </ol>
        </div>
      )}
    </Modal>
  );
}
