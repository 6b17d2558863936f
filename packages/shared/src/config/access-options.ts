import { absent, computed, constant, option } from './option.js';
import { choice, names, path, secret } from './option-value.js';

/** The key of who administrates; commands send it, coordinators ask for it. */
export const ADMIN_KEY = option({
  description:
    'Key of who administrates, or @FILE that has it: AdminService, /admin/v1 and /metrics ask for it, and the ' +
    'commands that speak with them send it.',
  value: secret(),
  default: absent('whoever reaches the ports may administrate'),
});

/** Who may use the API, and what it makes of what they send. */
export const ACCESS_OPTIONS = {
  apiKeys: option({
    description:
      'File of keys that may use the model, with their names and limits; it is read again when it changes, and ' +
      'on SIGHUP. See docs/api.md.',
    value: path('<file>'),
    default: absent('whoever reaches the ports may use the model'),
  }),
  apiKey: option({
    description: 'One key without limits, or @FILE that has it; its name is "default". Chat and bench send it.',
    value: secret(),
    default: absent('none'),
  }),
  adminKey: ADMIN_KEY,
  corsOrigin: option({
    description:
      'Origins of web pages that may use the API, such as https://chat.example.org, or * for all; the flag may ' +
      'be repeated.',
    value: names('<origin,...>'),
    default: computed('none', (): readonly string[] => []),
  }),
  unknownFields: option({
    description:
      'What becomes of requests with a field that is not known: refused by its name, or served as if it were not ' +
      'there.',
    value: choice(['refuse', 'ignore']),
    default: constant('refuse'),
  }),
} as const;
