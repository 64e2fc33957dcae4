// The addresses of the console's screens.
export const clusterListPath = '/services/contact-center/cloud-connect';

export function clusterPath(id: string): string {
  return `${clusterListPath}/clusters/${encodeURIComponent(id)}`;
}

export const releasesPath = '/releases';
export const softwarePath = '/software';
export const organizationPath = '/organization';
export const usersPath = '/users';
export const activitiesPath = '/admin-activities';
export const accountPath = '/account';
/** Where the hub leads to when signing in through a provider did not work. */
export const signInPath = '/sign-in';
export const invitationPath = '/invitation';
