export const DAY_MS = 24 * 3600 * 1000;

/** How long before its end a certificate is to be renewed. */
export const RENEW_WITHIN_DAYS = 30;

/** What to say about the end of a certificate; nothing while it is far away. */
export function expiryWarning(validToMs: number, nowMs: number): string | undefined {
  const remainingMs = validToMs - nowMs;
  if (remainingMs > RENEW_WITHIN_DAYS * DAY_MS) return undefined;
  const validTo = new Date(validToMs).toISOString();
  if (remainingMs <= 0)
    return `the certificate ended on ${validTo}: no new connection can be made; "expertmesh certs rotate" renews it`;
  const numDays = Math.floor(remainingMs / DAY_MS);
  return `the certificate ends in ${String(numDays)} days, on ${validTo}: "expertmesh certs rotate" renews it`;
}
