// The typed client of the admin API: its types are generated from the OpenAPI document.
import createFetchClient from 'openapi-fetch';
import createQueryClient from 'openapi-react-query';
import i18n from '../i18n';
import { newConnection } from './connection';
import { Unreachable, Unreadable } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

export const base = '/api/admin/v1';
export const connection = newConnection();

/** Statuses with which a proxy says that the hub behind it is away. */
const gatewayStatuses = new Set([502, 503, 504]);

async function reach(request: Request): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    connection.lost();
    throw new Unreachable();
  }
  const type = answer.headers.get('Content-Type') ?? '';
  const readable = /json|text\/csv/.test(type);
  if (gatewayStatuses.has(answer.status) && !readable) {
    connection.lost();
    throw new Unreachable();
  }
  connection.reached();
  if (!readable && answer.status !== 204) {
    const trackingId = answer.headers.get('Tracking-ID') ?? undefined;
    throw new Unreadable(answer.status, trackingId);
  }
  return answer;
}

export const client = createFetchClient<paths>({
  baseUrl: base,
  credentials: 'same-origin',
  fetch: reach,
});

client.use({
  onRequest({ request }) {
    request.headers.set('Accept-Language', i18n.language);
    return request;
  },
});

export const api = createQueryClient(client);
