import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, type ChipColor, StaticChip } from '../mdc';
import { usePermitted, useSession } from '../session';
import { size } from '../text/size';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { Failure, H1, Loading, Muted, useLanguage, useTitle, When } from '../ui/parts';

type State = Schemas['ReleaseState'];
type Release = Schemas['Release'];

const colors: Record<State, ChipColor> = {
  draft: 'slate', published: 'mint', paused: 'gold', recalled: 'pink',
};
const stateNames = {
  draft: 'releases.draft', published: 'releases.publishedState', paused: 'releases.paused',
  recalled: 'releases.recalled',
} as const;

/** The vendor's releases, for release engineers: publish, pause, resume, recall. */
export default function ReleasesPage() {
  const { t } = useTranslation();
  const explained = useExplain();
  const poll = usePollInterval();
  const releases = api.useQuery('get', '/releases', {}, { refetchInterval: poll });
  useTitle(t('releases.title'));
  const columns = ['version', 'kind', 'state', 'channel', 'size', 'published'] as const;
  const items = releases.data?.items ?? [];
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <H1>{t('releases.title')}</H1>
          <Muted>{t('releases.lead')}</Muted>
        </div>
      </div>
      {releases.isPending && <Loading />}
      {!releases.data && releases.error && <Failure failure={explained(releases.error)} />}
      {releases.data && items.length === 0 && <Muted>{t('releases.empty')}</Muted>}
      {items.length > 0 && (
        <section className="section" aria-label={t('releases.title')}>
          <table className="nodes" role="table">
            <thead role="rowgroup">
              <tr role="row">
                {columns.map((column) => (
                  <th key={column} role="columnheader" scope="col">{t(`releases.${column}`)}</th>
                ))}
                <th role="columnheader" scope="col">
                  <span className="unseen">{t('nodes.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {items.map((release) => <Row key={release.id} release={release} />)}
            </tbody>
          </table>
        </section>
      )}
    </div>
  );
}

function Row({ release }: { release: Release }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const { zone } = useSession().organization;
  return (
    <tr role="row" data-release={release.version}>
      <td role="cell" data-label={t('releases.version')}><strong>{release.version}</strong></td>
      <td role="cell" data-label={t('releases.kind')}>{t(`cluster.kind.${release.kind}`)}</td>
      <td role="cell" data-label={t('releases.state')}>
        <StaticChip color={colors[release.state]} label={t(stateNames[release.state])} />
      </td>
      <td role="cell" data-label={t('releases.channel')}>{release.channel}</td>
      <td role="cell" data-label={t('releases.size')}>{size(release.size, language)}</td>
      <td role="cell" data-label={t('releases.published')}>
        {release.published_at ? <When at={release.published_at} zone={zone} /> : t('none')}
      </td>
      <td role="cell" data-label={t('nodes.actions')}><ReleaseActions release={release} /></td>
    </tr>
  );
}

function ReleaseActions({ release }: { release: Release }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const mayChange = usePermitted('setReleaseState');
  const [recalling, setRecalling] = useState(false);
  const change = useAction((state: State) => client.PUT('/releases/{releaseId}/state', {
    params: { path: { releaseId: release.id } }, body: { state },
  }));
  const { version } = release;
  const to = (state: State) => change.run(state, (answer) => {
    setRecalling(false);
    notify(t('releases.changed', { version, state: t(stateNames[answer.state]) }));
  });
  if (!mayChange) return null;
  return (
    <>
      <div className="actions">
        {release.state === 'draft' && (
          <Button size={28} disabled={change.busy} onClick={() => to('published')}>
            {t('releases.publish')}
          </Button>
        )}
        {release.state === 'published' && (
          <Button size={28} variant="secondary" disabled={change.busy} onClick={() => to('paused')}>
            {t('releases.pause')}
          </Button>
        )}
        {release.state === 'paused' && (
          <Button size={28} disabled={change.busy} onClick={() => to('published')}>
            {t('releases.resume')}
          </Button>
        )}
        {(release.state === 'published' || release.state === 'paused') && (
          <Button size={28} variant="secondary" color="negative" disabled={change.busy}
            onClick={() => setRecalling(true)}>
            {t('releases.recall')}
          </Button>
        )}
      </div>
      {!recalling && <Failure failure={change.failure} />}
      {recalling && (
        <Modal danger title={t('releases.recallTitle', { version })}
          text={t('releases.recallText')} submit={t('releases.recall')} busy={change.busy}
          failure={change.failure} onSubmit={() => to('recalled')}
          onClose={() => setRecalling(false)} />
      )}
    </>
  );
}
