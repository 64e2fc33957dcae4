import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button, StaticChip, Text } from '../mdc';
import { useHubNow, usePermitted } from '../session';
import { clockTime, instantInZone, relative } from '../text/time';
import { useNotify } from '../ui/notices';
import { Modal, TypedNameModal } from '../ui/modal';
import { Fact, Facts, Failure, Muted, Section, useLanguage, When } from '../ui/parts';

/** When this cluster is upgraded next, in both kinds of window, and what can be done about it. */
export function NextUpgrade({ cluster }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const { next_upgrade: next, schedules: { zone } } = cluster;
  const pending = pendingText(t, cluster);
  return (
    <Section id="next" title={t('cluster.nextTitle')} lead={t('cluster.zone', { zone })}>
      <div className="upgrades">
        <Upgrade kind="regular" window={next.regular} cluster={cluster} />
        <Upgrade kind="emergency" window={next.emergency} cluster={cluster} />
      </div>
      {next.extra && <Extra window={next.extra} zone={zone} />}
      {next.skipped && (
        <p className="note" data-skipped={next.skipped}>
          <Sentence text={t('cluster.skipped', { time: '\n' })}>
            <When at={next.skipped} zone={zone} />
          </Sentence>
        </p>
      )}
      {pending && <Muted>{pending}</Muted>}
      <Controls cluster={cluster} />
    </Section>
  );
}

/** A sentence with something other than text in its middle, where the line break stands. */
function Sentence({ text, children }: { text: string; children: ReactNode }) {
  const [before, after] = text.split('\n');
  return <>{before}{children}{after}</>;
}

function pendingText(
  t: ReturnType<typeof useTranslation>['t'], cluster: Schemas['Cluster'],
): string {
  if (cluster.rollout?.state === 'active') return '';
  const release = cluster.pending_release;
  if (!release) return cluster.upgrade_pending ? '' : t('cluster.nothingPending');
  return release.kind === 'emergency' ? t('cluster.pendingEmergency', release)
    : t('cluster.pendingRelease', release);
}

function Upgrade({ kind, window, cluster }: {
  kind: Schemas['Kind']; window: Schemas['Window']; cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const now = useHubNow(10_000);
  const { zone } = cluster.schedules;
  return (
    <div className="upgrade" data-next={kind}>
      <Text tagname="p" type="body-midsize-regular" className="muted">
        {t(`cluster.${kind}`)}
      </Text>
      <Text tagname="p" type="heading-small-bold"><When at={window.start} zone={zone} bare /></Text>
      <Muted>
        {t('cluster.until', { end: clockTime(window.end, language, zone) })}
        {' · '}
        {relative(window.start, now, language)}
      </Muted>
      {cluster.next_upgrade.open.includes(kind) && (
        <div className="chips"><StaticChip color="cobalt" label={t('cluster.openNow')} /></div>
      )}
    </div>
  );
}

function Extra({ window, zone }: { window: Schemas['Window']; zone: string }) {
  const { t } = useTranslation();
  const language = useLanguage();
  return (
    <p className="note" data-next="extra">
      <strong>{t('cluster.extra')}</strong>{' '}
      {t('cluster.extraText', { end: instantInZone(window.end, language, zone) })}
    </p>
  );
}

type Open = 'postpone' | 'now' | null;

function Controls({ cluster }: { cluster: Schemas['Cluster'] }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const notify = useNotify();
  const [open, setOpen] = useState<Open>(null);
  const mayPostpone = usePermitted('postpone');
  const mayUndo = usePermitted('undoPostponement');
  const mayUpgrade = usePermitted('upgradeNow');
  const params = { path: { clusterId: cluster.id } };
  const next = (answer: Schemas['Cluster']) =>
    instantInZone(answer.next_upgrade.regular.start, language, answer.schedules.zone);
  const postpone = useAction(() => client.POST('/clusters/{clusterId}/postponement', { params }));
  const undo = useAction(() => client.DELETE('/clusters/{clusterId}/postponement', { params }));
  const upgrade = useAction((typed_name: string) =>
    client.POST('/clusters/{clusterId}/upgrade-now', { params, body: { typed_name } }));
  const close = () => {
    setOpen(null);
    postpone.reset();
    upgrade.reset();
  };
  if (!mayPostpone && !mayUndo && !mayUpgrade) return null;
  return (
    <>
      <Failure failure={undo.failure} />
      <div className="actions">
        {cluster.next_upgrade.skipped
          ? mayUndo && (
            <Button variant="secondary" disabled={undo.busy}
              onClick={() => undo.run(undefined, (answer) =>
                notify(t('cluster.postponeUndone', { time: next(answer) })))}>
              {t('cluster.postponeUndo')}
            </Button>
          ) : mayPostpone && (
            <Button variant="secondary" disabled={!cluster.may_postpone}
              onClick={() => setOpen('postpone')}>
              {t('cluster.postpone')}
            </Button>
          )}
        {mayUpgrade && cluster.upgrade_pending && !cluster.next_upgrade.extra && (
          <Button variant="secondary" onClick={() => setOpen('now')}>
            {t('cluster.upgradeNow')}
          </Button>
        )}
      </div>
      {open === 'postpone' && (
        <Modal title={t('cluster.postponeTitle')} text={t('cluster.postponeText')}
          submit={t('cluster.postpone')} busy={postpone.busy} failure={postpone.failure}
          onClose={close}
          onSubmit={() => postpone.run(undefined, (answer) => {
            close();
            notify(t('cluster.postponed', { time: next(answer) }));
          })}>
          <Facts>
            <Fact label={t('cluster.postponeFrom')}>
              <When at={cluster.next_upgrade.regular.start} zone={cluster.schedules.zone} />
            </Fact>
          </Facts>
        </Modal>
      )}
      {open === 'now' && (
        <TypedNameModal title={t('cluster.upgradeNowTitle')} text={t('cluster.upgradeNowText')}
          name={cluster.display_name} submit={t('cluster.upgradeNow')} busy={upgrade.busy}
          failure={upgrade.failure} onClose={close}
          onSubmit={(typed) => upgrade.run(typed, () => {
            close();
            notify(t('cluster.upgradeNowDone'));
          })} />
      )}
    </>
  );
}
