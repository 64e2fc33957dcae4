// The console: who is signed in decides whether the sign-in page or the screens are shown.
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { BrowserRouter, Navigate, Route, Routes, useLocation } from 'react-router';
import { Live } from './api/live';
import { isForbidden, isSignedOut } from './api/problem';
import { ClusterList } from './clusters/cluster-list';
import { IconProvider, ThemeProvider } from './mdc';
import { ReturnPage } from './registration/return-page';
import {
  endSession, type Operation, refreshSession, SessionProvider, useSession, useSessionState,
} from './session';
import { ConnectionBanner } from './shell/connection-banner';
import { Guard } from './shell/guard';
import { NotFound } from './shell/not-found';
import {
  accountPath, activitiesPath, clusterListPath, invitationPath, organizationPath, releasesPath,
  signInPath, softwarePath, usersPath,
} from './shell/paths';
import { Shell } from './shell/shell';
import { ThemeContext, themeClass, useTheme } from './shell/theme';
import { Confirmation } from './sign-in/confirm';
import { Confirmed, confirmedPath } from './sign-in/confirmed';
import { InvitationPage } from './sign-in/invitation';
import { SignIn } from './sign-in/sign-in';
import { Notices } from './ui/notices';
import { Loading, useLanguage } from './ui/parts';

const ClusterPage = lazy(() => import('./cluster/cluster-page'));
const ReleasesPage = lazy(() => import('./releases/releases-page'));
const AccountPage = lazy(() => import('./account/account-page'));
const OrganizationPage = lazy(() => import('./people/organization-page'));
const UsersPage = lazy(() => import('./people/users-page'));
const SoftwarePage = lazy(() => import('./software/software-page'));
const ActivitiesPage = lazy(() => import('./activities/activities-page'));

function newQueries(): QueryClient {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError(error) {
        if (isSignedOut(error)) endSession(queries, true);
        if (isForbidden(error)) refreshSession(queries);
      },
    }),
    defaultOptions: {
      queries: { retry: false, networkMode: 'always', refetchIntervalInBackground: false },
    },
  });
  return queries;
}

export function App() {
  const [queries] = useState(newQueries);
  const theme = useTheme();
  return (
    <QueryClientProvider client={queries}>
      <ThemeContext value={theme}>
        <ThemeProvider themeclass={themeClass[theme.theme]} className="root">
          <IconProvider iconSet="momentum-icons" lengthUnit="rem" size={1}>
            <Guard>
              <BrowserRouter>
                <Notices>
                  <Inside />
                </Notices>
              </BrowserRouter>
            </Guard>
          </IconProvider>
        </ThemeProvider>
      </ThemeContext>
    </QueryClientProvider>
  );
}

function Inside() {
  const { i18n } = useTranslation();
  const language = useLanguage();
  const state = useSessionState();
  const { pathname } = useLocation();
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language, i18n]);
  if (pathname === invitationPath) {
    return (
      <>
        <ConnectionBanner />
        <InvitationPage />
      </>
    );
  }
  if (state.data?.kind === 'out') {
    return (
      <>
        <ConnectionBanner />
        <SignIn ended={state.data.ended} />
      </>
    );
  }
  if (!state.data) {
    return (
      <>
        <ConnectionBanner />
        <Loading />
      </>
    );
  }
  return (
    <SessionProvider session={state.data.session} offset={state.data.offset}>
      <Confirmation>
        <Screens />
      </Confirmation>
    </SessionProvider>
  );
}

/** Where a person begins: at the first thing that their role is for. */
function homeOf(permissions: readonly string[]): string {
  if (permissions.includes('listClusters')) return clusterListPath;
  return permissions.includes('listReleases') ? releasesPath : accountPath;
}

function Screens() {
  const { permissions, second_factor_missing: locked } = useSession();
  if (locked) return <Shell><Suspense fallback={<Loading />}><AccountPage /></Suspense></Shell>;
  const only = (operation: Operation, page: ReactNode) =>
    (permissions.includes(operation) ? page : <NotFound />);
  return (
    <Live>
      <Shell>
        <Suspense fallback={<Loading />}>
          <Routes>
            {['/', signInPath].map((path) => (
              <Route key={path} path={path}
                element={<Navigate replace to={homeOf(permissions)} />} />
            ))}
            <Route path={releasesPath} element={only('listReleases', <ReleasesPage />)} />
            <Route path={clusterListPath} element={only('listClusters', <ClusterList />)} />
            <Route path={`${clusterListPath}/clusters/:clusterId`}
              element={only('getCluster', <ClusterPage />)} />
            <Route path={softwarePath} element={only('getDownloads', <SoftwarePage />)} />
            <Route path={organizationPath}
              element={only('getOrganization', <OrganizationPage />)} />
            <Route path={usersPath} element={only('listUsers', <UsersPage />)} />
            <Route path={activitiesPath} element={only('listAudit', <ActivitiesPage />)} />
            <Route path={accountPath} element={<AccountPage />} />
            <Route path={confirmedPath} element={<Confirmed />} />
            <Route path="/register/return" element={<ReturnPage />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </Suspense>
      </Shell>
    </Live>
  );
}
