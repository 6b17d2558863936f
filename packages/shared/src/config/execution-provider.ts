import { ONNX_PROVIDERS } from '../onnx/onnx-provider.js';

/** What can compute: `native` is our own CPU kernels, the rest are execution providers of ONNX Runtime. */
export const PROVIDERS = ['native', ...ONNX_PROVIDERS] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What may be asked for; with `auto` each process chooses. */
export const EXECUTION_PROVIDERS = ['auto', ...PROVIDERS] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];
