import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { replaceFile } from './replace-file.js';

const issuedSchema = z.object({ serial: z.string(), name: z.string(), validTo: z.string() });

/** A certificate that the authority has issued. */
export type IssuedCertificate = Readonly<z.infer<typeof issuedSchema>>;

/**
 * What an authority has issued and has not ended yet, one a line as JSON: a certificate that is to be revoked may have
 * been replaced in the directory since, or never have been there.
 */
export class IssuedRecord {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws ExpertmeshError `failed_precondition` for a file with something else in it. */
  list(nowMs: number): IssuedCertificate[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    const issued = lines.flatMap((line, index) => (line === '' ? [] : [this.#parse(line, index + 1)]));
    return issued.filter(({ validTo }) => Date.parse(validTo) > nowMs);
  }

  add(name: string, cert: string, nowMs: number): void {
    const added = issuedOf(name, cert);
    const all = [...this.list(nowMs), added];
    replaceFile(this.#file, all.map((issued) => `${JSON.stringify(issued)}\n`).join(''), 0o644);
  }

  /** Of another authority nothing is known here. */
  clear(): void {
    replaceFile(this.#file, '', 0o644);
  }

  #parse(line: string, lineNumber: number): IssuedCertificate {
    try {
      return issuedSchema.parse(JSON.parse(line));
    } catch (cause) {
      const message = `${this.#file}: line ${String(lineNumber)} is no certificate that was issued: remove the line`;
      throw new ExpertmeshError('failed_precondition', message, { cause });
    }
  }
}

/** @param cert in PEM */
export function issuedOf(name: string, cert: string): IssuedCertificate {
  const { serialNumber: serial, validTo } = new X509Certificate(cert);
  return { serial, name, validTo: new Date(validTo).toISOString() };
}
