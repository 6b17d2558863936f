export interface SubjectName {
  /** `URI`, `DNS` or `IP Address`, as OpenSSL calls them. */
  readonly type: string;
  readonly value: string;
}

/** One `TYPE:value`; Node quotes a value that could be mistaken for several. */
const NAME = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy;

/** The names in the text that Node makes of a certificate's subjectAltName; of a text of another form, none. */
export function subjectNames(subjectAltName: string | undefined = ''): SubjectName[] {
  const found = [...subjectAltName.matchAll(NAME)];
  const numRead = found.reduce((sum, [whole]) => sum + whole.length, 0);
  if (numRead !== subjectAltName.length) return [];
  return found.map(([, type = '', value = '']) => ({ type, value }));
}
