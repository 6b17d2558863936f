import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

export const REPOSITORY_DIR = join(import.meta.dirname, '../../..');
export const CHART_DIR = join(REPOSITORY_DIR, 'infra/helm/expertmesh');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Runs helm or kubectl; rejects with what they print when they fail. */
export async function kubeTool(tool: 'helm' | 'kubectl', ...args: readonly string[]): Promise<string> {
  const script = join(REPOSITORY_DIR, 'scripts/kube-tool.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, tool, ...args], { maxBuffer: 2 ** 26 });
  return stdout;
}

export async function renderChart(...options: readonly string[]): Promise<Manifest[]> {
  return parseManifests(await kubeTool('helm', 'template', 'expertmesh', CHART_DIR, ...options));
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}

/**
 * What Kubernetes' own types, which kubernetes-models generates from its OpenAPI document, say against the manifests.
 * The compiler refuses in an object literal what its type does not have, so a misspelt field is found as well as a
 * wrong type.
 */
export function typeErrors(manifests: readonly Manifest[]): string[] {
  const fileName = join(REPOSITORY_DIR, 'packages/test-kit/src/manifests-under-test.ts');
  const source = manifests
    .map((manifest, index) => {
      const module = `kubernetes-models/${manifest.apiVersion}/${manifest.kind}`;
      const literal = JSON.stringify(manifest, undefined, 1);
      return `const m${String(index)}: import('${module}').I${manifest.kind} = ${literal};`;
    })
    .join('\n');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const withSource: ts.CompilerHost = {
    ...host,
    fileExists: (path) => path === fileName || host.fileExists(path),
    getSourceFile: (path, language) =>
      path === fileName
        ? ts.createSourceFile(path, `${source}\nexport {};\n`, language)
        : host.getSourceFile(path, language),
  };
  const program = ts.createProgram([fileName], options, withSource);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
