// Passkeys, as the browser makes and uses them: JSON from the hub in, JSON for the hub out.

/** Why the browser gave no passkey. */
export type PasskeyReason = 'cancelled' | 'already' | 'unsupported' | 'failed';

export class PasskeyFailure extends Error {
  override name = 'PasskeyFailure';
  constructor(readonly reason: PasskeyReason) {
    super(`no passkey: ${reason}`);
  }
}

/** What the browser's exceptions mean to a person. */
export function reasonOf(error: unknown): PasskeyReason {
  switch ((error as { name?: unknown } | null)?.name) {
    case 'NotAllowedError':
    case 'AbortError':
      return 'cancelled';
    case 'InvalidStateError':
      return 'already';
    case 'NotSupportedError':
      return 'unsupported';
    default:
      return 'failed';
  }
}

type Json = Record<string, unknown>;

async function asked(ask: () => Promise<Credential | null>): Promise<Json> {
  if (typeof PublicKeyCredential === 'undefined'
    || !('parseRequestOptionsFromJSON' in PublicKeyCredential)) {
    throw new PasskeyFailure('unsupported');
  }
  try {
    const credential = await ask();
    if (!(credential instanceof PublicKeyCredential)) throw new PasskeyFailure('failed');
    return credential.toJSON() as Json;
  } catch (error) {
    throw error instanceof PasskeyFailure ? error : new PasskeyFailure(reasonOf(error));
  }
}

/** Uses a passkey that the person has. */
export function presentPasskey(options: Json): Promise<Json> {
  return asked(() => navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(
      options as unknown as PublicKeyCredentialRequestOptionsJSON),
  }));
}

/** Makes a new passkey. */
export function makePasskey(options: Json): Promise<Json> {
  return asked(() => navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(
      options as unknown as PublicKeyCredentialCreationOptionsJSON),
  }));
}
