// The addresses of the console's screens.
export const clusterListPath = '/services/contact-center/cloud-connect';

export function clusterPath(id: string): string {
  return `${clusterListPath}/clusters/${encodeURIComponent(id)}`;
}
