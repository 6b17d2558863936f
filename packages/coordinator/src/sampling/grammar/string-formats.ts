const HOUR_MINUTE = '([01][0-9]|2[0-3]):[0-5][0-9]';
const TIME = `${HOUR_MINUTE}:[0-5][0-9](\\.[0-9]{1,9})?(Z|z|[+-]${HOUR_MINUTE})`;

const LEAP_YEAR = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)';
const DAY_OF_MONTH = [
  '(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])',
  '(0[469]|11)-(0[1-9]|[12][0-9]|30)',
  '02-(0[1-9]|1[0-9]|2[0-8])',
].join('|');
const DATE = `([0-9]{4}-(${DAY_OF_MONTH})|${LEAP_YEAR}-02-29)`;

// A name has at most 253 characters and a label at most 63; labels of 30 keep every name of 8 of them within.
const LABEL = '[a-zA-Z0-9]([a-zA-Z0-9-]{0,28}[a-zA-Z0-9])?';
const HOSTNAME = `${LABEL}(\\.${LABEL}){0,7}`;

const BYTE = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = `${BYTE}(\\.${BYTE}){3}`;

const GROUP = '[0-9a-fA-F]{1,4}';
const IPV6 = [
  `(${GROUP}:){7}${GROUP}`,
  ...Array.from({ length: 8 }, (_, before) => {
    const after = 7 - before;
    const left = before === 0 ? '' : `${GROUP}(:${GROUP}){0,${String(before - 1)}}`;
    const right = after === 0 ? '' : `(${GROUP}(:${GROUP}){0,${String(after - 1)}})?`;
    return before === 0 ? `::${right}` : `${left}::${right}`;
  }),
].join('|');

const ATOM = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";
const EMAIL_LABEL = '[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?';
const EMAIL = `${ATOM}(\\.${ATOM})*@(${EMAIL_LABEL}\\.)+${EMAIL_LABEL}`;

const URI_CHARACTER = "([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})";
const URI_TAIL = `(/${URI_CHARACTER}*)*(\\?(${URI_CHARACTER}|[/?])*)?(#(${URI_CHARACTER}|[/?])*)?`;
const URI_HOST = '([a-zA-Z0-9._~-]|%[0-9a-fA-F]{2})+';
const URI = `[a-zA-Z][a-zA-Z0-9+.-]*:(//${URI_HOST}(:[0-9]{1,5})?${URI_TAIL}|/?${URI_CHARACTER}+${URI_TAIL})`;

const DURATION_DATE = '([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)';
const DURATION_TIME = 'T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)';
const HEX = '[0-9a-fA-F]';

/** Whole texts of a format as patterns: never more than the format allows, and all that is usual of it. */
const PATTERNS: Readonly<Record<string, string>> = {
  'date-time': `${DATE}[Tt]${TIME}`,
  date: DATE,
  time: TIME,
  duration: `P(${DURATION_DATE}(${DURATION_TIME})?|${DURATION_TIME}|[0-9]+W)`,
  email: EMAIL,
  hostname: HOSTNAME,
  ipv4: IPV4,
  ipv6: IPV6,
  uri: URI,
  uuid: `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`,
  'json-pointer': '(/([^~/]|~[01])*)*',
  byte: '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?',
};

/** Formats that say what a value is for, and nothing of how it looks. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  'binary',
  'password',
  'path',
  'file-path',
  'directory-path',
  'int32',
  'int64',
  'float',
  'double',
]);

export function formatPattern(format: string): string | undefined {
  return Object.hasOwn(PATTERNS, format) ? PATTERNS[format] : undefined;
}

export function isAnnotationFormat(format: string): boolean {
  return ANNOTATIONS.has(format);
}

export const SUPPORTED_FORMATS: readonly string[] = Object.keys(PATTERNS);
