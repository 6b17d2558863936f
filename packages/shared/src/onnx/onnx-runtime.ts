import './no-telemetry.js';
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';

let loaded: typeof OnnxRuntime | undefined;

/** Loaded when it is first needed: processes that compute on the native kernels do without its 12 MB of memory. */
export function onnxRuntime(): typeof OnnxRuntime {
  return (loaded ??= createRequire(import.meta.url)('onnxruntime-node') as typeof OnnxRuntime);
}
