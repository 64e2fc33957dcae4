// The frame around every screen: header, navigation, and the place where a screen is shown.
import { useQueryClient } from '@tanstack/react-query';
import { Fragment, type MouseEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useNavigate } from 'react-router';
import { useAction } from '../api/action';
import { client } from '../api/client';
import {
  AppHeader, AvatarButton, Button, Icon, type IconName, MenuBar, MenuItem, MenuPopover,
  NavMenuItem, SideNavigation, Text,
} from '../mdc';
import { endSession, type Operation, useSession } from '../session';
import { ConnectionBanner } from './connection-banner';
import {
  accountPath, activitiesPath, clusterListPath, organizationPath, releasesPath, softwarePath,
  usersPath,
} from './paths';
import { LanguageSwitch, ThemeSwitch } from './switches';

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const { key } = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    setOpen(false);
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [key]);
  const skip = (event: MouseEvent) => {
    event.preventDefault();
    main.current?.focus();
  };
  return (
    <div className="shell" onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}>
      <a className="skip" href="#main" onClick={skip}>{t('skip')}</a>
      <Header open={open} onToggle={() => setOpen(!open)} />
      <ConnectionBanner />
      <div className="shell-body">
        <nav className={open ? 'side open' : 'side'} aria-label={t('shell.navigation')}>
          <Navigation />
        </nav>
        {open && <div className="side-shade" onClick={() => setOpen(false)} />}
        <main id="main" ref={main} tabIndex={0}>{children}</main>
      </div>
    </div>
  );
}

function Header({ open, onToggle }: { open: boolean; onToggle: () => void }) {
  const { t } = useTranslation();
  const session = useSession();
  return (
    <div className="header">
      <AppHeader>
        <div slot="leading" className="header-part">
          <Button className="narrow" variant="tertiary" prefixIcon="list-menu-bold"
            aria-label={open ? t('shell.closeNavigation') : t('shell.openNavigation')}
            aria-expanded={open ? 'true' : 'false'} onClick={onToggle} />
          <Icon className="wide logo" name="cloud-filled" size={1.75} />
          <Text tagname="span" type="heading-small-bold">{t('product')}</Text>
          <Text tagname="span" type="body-midsize-regular" className="wide muted organization">
            {session.organization.name}
          </Text>
        </div>
        <div slot="trailing" className="header-part">
          <LanguageSwitch />
          <ThemeSwitch />
          <AccountMenu />
        </div>
      </AppHeader>
    </div>
  );
}

function AccountMenu() {
  const { t } = useTranslation();
  const { user, hub } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const signOut = useAction(async () => {
    const answer = await client.DELETE('/session');
    if (!answer.error) endSession(queries, false); // before anything is read again
    return answer;
  });
  const initials = user.name.split(/\s+/).map((word) => [...word][0] ?? '').join('').slice(0, 2);
  return (
    <>
      <AvatarButton id="account" size={32} initials={initials || '?'}
        aria-label={t('shell.account', { name: user.name })} />
      <MenuPopover triggerID="account" placement="bottom-end">
        <div className="account" role="presentation">
          <Text tagname="span" type="body-midsize-bold">{user.name}</Text>
          <Text tagname="span" type="body-small-regular" className="muted">{user.email}</Text>
          <Text tagname="span" type="body-small-regular" className="muted">
            {t(`role.${user.role}`)}
          </Text>
          <Text tagname="span" type="body-small-regular" className="muted">
            {t('shell.version', { version: hub.version })}
          </Text>
        </div>
        <MenuItem label={t('shell.myAccount')} onClick={() => void navigate(accountPath)}>
          <Icon slot="leading-controls" name="user-regular" />
        </MenuItem>
        <MenuItem label={t('shell.signOut')}
          onClick={() => signOut.run(undefined)}>
          <Icon slot="leading-controls" name="sign-out-regular" />
        </MenuItem>
      </MenuPopover>
    </>
  );
}

interface Place {
  path: string;
  label: string;
  icons: [IconName, IconName];
  operation: Operation;
}

interface Group {
  title: string;
  under?: string;
  places: Place[];
}

/** Where this person may go; what they may not even read is not shown. */
function useGroups(): Group[] {
  const { t } = useTranslation();
  const { permissions, second_factor_missing: locked } = useSession();
  const groups: Group[] = [
    { title: t('shell.services'), under: t('shell.contactCenter'), places: [
      { path: clusterListPath, label: t('shell.cloudConnect'), operation: 'listClusters',
        icons: ['cloud-regular', 'cloud-filled'] },
      { path: softwarePath, label: t('shell.software'), operation: 'getDownloads',
        icons: ['download-regular', 'download-filled'] },
    ] },
    { title: t('shell.vendor'), places: [
      { path: releasesPath, label: t('shell.releases'), operation: 'listReleases',
        icons: ['apps-regular', 'apps-filled'] },
    ] },
    { title: t('shell.management'), places: [
      { path: usersPath, label: t('shell.users'), operation: 'listUsers',
        icons: ['people-regular', 'people-filled'] },
      { path: organizationPath, label: t('shell.organization'), operation: 'getOrganization',
        icons: ['settings-regular', 'settings-filled'] },
    ] },
    { title: t('shell.troubleshooting'), places: [
      { path: activitiesPath, label: t('shell.activities'), operation: 'listAudit',
        icons: ['document-regular', 'document-filled'] },
    ] },
  ];
  return groups.map((group) => ({ ...group, places: group.places.filter(({ operation }) =>
    !locked && permissions.includes(operation)) })).filter(({ places }) => places.length > 0);
}

function Navigation() {
  const { t } = useTranslation();
  const { organization } = useSession();
  const groups = useGroups();
  return (
    <SideNavigation variant="fixed-expanded" footerText={organization.name}>
      <MenuBar slot="scrollable-section" aria-label={t('shell.navigation')}>
        {groups.map(({ title, under, places }) => (
          <Fragment key={title}>
            <Text tagname="span" type="body-small-bold" className="nav-title">{title}</Text>
            {under && (
              <Text tagname="span" type="body-small-regular" className="nav-title sub">
                {under}
              </Text>
            )}
            {places.map((place) => <Entry key={place.path} {...place} />)}
          </Fragment>
        ))}
        {groups.length === 0 && (
          <Entry path={accountPath} label={t('shell.myAccount')}
            icons={['people-regular', 'people-filled']} />
        )}
      </MenuBar>
    </SideNavigation>
  );
}

/** The item asks for the filled icon only when it becomes active, and forgets it on a render. */
function Entry({ path, label, icons: [resting, active] }: {
  path: string; label: string; icons: [IconName, IconName] }) {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const here = pathname.startsWith(path);
  return (
    <NavMenuItem navId={path} iconName={here ? active : resting} label={label} aria-label={label}
      active={here} onClick={() => void navigate(path)} />
  );
}
