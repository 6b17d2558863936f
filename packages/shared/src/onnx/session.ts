import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { ONNX_PROVIDERS, type OnnxProvider } from './onnx-provider.js';
import { onnxRuntime } from './onnx-runtime.js';

/** A tensor as plain data; row-major. Inputs are wrapped without a copy, outputs are fresh arrays. */
export type OnnxTensor =
  | { readonly type: 'float32'; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'int32'; readonly dims: readonly number[]; readonly data: Int32Array }
  | { readonly type: 'int64'; readonly dims: readonly number[]; readonly data: BigInt64Array };

export interface OnnxSessionOptions {
  /** Directory that the graph's external data is relative to: the expert store. */
  readonly weightsDir?: string;
  /** Threads that compute one run on the CPU, the caller's included. */
  readonly numThreads: number;
  /** `cpu` if absent. */
  readonly provider?: OnnxProvider;
}

/**
 * A loaded graph. ONNX Runtime computes on the calling thread, so `run` blocks that thread's event loop: sessions
 * belong into threads of their own (see docs/architecture.md).
 */
export class OnnxSession {
  readonly #session: InferenceSession;

  constructor(session: InferenceSession) {
    this.#session = session;
  }

  /** @throws ExpertmeshError `internal` with ONNX Runtime's message. */
  async run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<OnnxOutputs> {
    const inputs = Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)] as const);
    try {
      return new OnnxOutputs(await this.#session.run(Object.fromEntries(inputs)));
    } catch (cause) {
      throw new ExpertmeshError('internal', `ONNX Runtime failed: ${describe(cause)}`, { cause });
    }
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** The outputs of one run, by name. */
export class OnnxOutputs {
  readonly #values: InferenceSession.OnnxValueMapType;

  constructor(values: InferenceSession.OnnxValueMapType) {
    this.#values = values;
  }

  float32(name: string): Float32Array {
    const data = this.#values[name]?.data;
    if (data instanceof Float32Array) return data;
    throw new ExpertmeshError('internal', `the graph has no fp32 output ${name}`);
  }

  int32(name: string): Int32Array {
    const data = this.#values[name]?.data;
    if (data instanceof Int32Array) return data;
    throw new ExpertmeshError('internal', `the graph has no int32 output ${name}`);
  }
}

/**
 * Loads a serialized ModelProto.
 *
 * @throws ExpertmeshError `internal` when ONNX Runtime refuses the graph or cannot read its weights.
 */
export async function createOnnxSession(model: Uint8Array, options: OnnxSessionOptions): Promise<OnnxSession> {
  try {
    return new OnnxSession(await onnxRuntime().InferenceSession.create(model, sessionOptions(options)));
  } catch (cause) {
    throw new ExpertmeshError('internal', `ONNX Runtime could not load a graph: ${describe(cause)}`, { cause });
  }
}

/** Those that this build of ONNX Runtime has; the libraries that one needs may still be missing. */
export function builtInProviders(): OnnxProvider[] {
  const names = onnxRuntime()
    .listSupportedBackends()
    .map((backend) => backend.name);
  return ONNX_PROVIDERS.filter((provider) => names.includes(provider));
}

// Every session has a thread pool of its own whose idle threads spin; with a session per layer they would take the
// cores from each other, so they stop spinning as soon as a run ends (measured: 2.8 ms to 2.0 ms a layer).
function sessionOptions(options: OnnxSessionOptions): InferenceSession.SessionOptions {
  const { weightsDir: folder } = options;
  return {
    executionProviders: [options.provider ?? 'cpu'],
    intraOpNumThreads: options.numThreads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: {
        force_spinning_stop: '1',
        ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
      },
    },
  };
}

function toOrt(tensor: OnnxTensor): Tensor {
  const { Tensor } = onnxRuntime();
  switch (tensor.type) {
    case 'float32':
      return new Tensor('float32', tensor.data, tensor.dims);
    case 'int32':
      return new Tensor('int32', tensor.data, tensor.dims);
    case 'int64':
      return new Tensor('int64', tensor.data, tensor.dims);
  }
}

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
