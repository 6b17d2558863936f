/** Which blobs are read and hashed: those that this machine has not verified as they are now, or all. */
export const VERIFY_MODES = ['changed', 'always'] as const;

export type VerifyMode = (typeof VERIFY_MODES)[number];
