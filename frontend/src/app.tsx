// The console: who is signed in decides whether the sign-in page or the screens are shown.
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { BrowserRouter, Navigate, Route, Routes } from 'react-router';
import { Live } from './api/live';
import { isSignedOut } from './api/problem';
import { ClusterList } from './clusters/cluster-list';
import { IconProvider, ThemeProvider } from './mdc';
import { ReturnPage } from './registration/return-page';
import { endSession, SessionProvider, useSession, useSessionState } from './session';
import { ConnectionBanner } from './shell/connection-banner';
import { Guard } from './shell/guard';
import { NotFound } from './shell/not-found';
import { clusterListPath } from './shell/paths';
import { Shell } from './shell/shell';
import { SignIn } from './shell/sign-in';
import { ThemeContext, themeClass, useTheme } from './shell/theme';
import { Notices } from './ui/notices';
import { Loading, useLanguage } from './ui/parts';

const ClusterPage = lazy(() => import('./cluster/cluster-page'));
const ReleasesPage = lazy(() => import('./releases/releases-page'));

function newQueries(): QueryClient {
  const queries: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError(error) {
        if (isSignedOut(error)) endSession(queries, true);
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
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language, i18n]);
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
      <Live>
        <Screens />
      </Live>
    </SessionProvider>
  );
}

function Screens() {
  const engineer = useSession().user.role === 'release_engineer';
  const home = engineer ? '/releases' : clusterListPath;
  return (
    <Shell>
      <Suspense fallback={<Loading />}>
        <Routes>
          <Route path="/" element={<Navigate replace to={home} />} />
          {engineer && <Route path="/releases" element={<ReleasesPage />} />}
          <Route path={clusterListPath} element={<ClusterList />} />
          <Route path={`${clusterListPath}/clusters/:clusterId`} element={<ClusterPage />} />
          <Route path="/register/return" element={<ReturnPage />} />
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}
