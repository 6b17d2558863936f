import { type Placement } from '@expertmesh/shared/placement/placement';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type CallOptions } from '@expertmesh/shared/rpc/client';
import { answerDeadline } from '@expertmesh/shared/rpc/answer-deadline';
import { type GrpcStreamEvents } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-client';
import { type DispatchStream, type Openers, type RpcConnection, type RpcTarget } from '@expertmesh/shared/rpc/openers';
import { type ServerStreamMethod, type UnaryMethod } from '@expertmesh/shared/rpc/service-definition';
import { type AssignRequest, type LayerShard, type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { workerService } from '@expertmesh/shared/rpc/services';
import { type SimulatedNetwork } from './simulated-network.js';
import { type SimulatedProcess } from './simulated-process.js';
import { type SimulatedWorker } from './simulated-worker.js';
import { type Simulator } from './simulator.js';

/** gRPC's prefix of a message. */
const PREFIX_BYTES = 5;
/** Only what takes long can be cancelled there. */
const NEVER = new AbortController().signal;
/** As keepalive's: until a connection over which nothing comes any more is given up. */
const [LEAST_SILENCE_MS, MOST_SILENCE_MS] = [5_000, 30_000];

export interface SimulatedTransportOptions {
  readonly sim: Simulator;
  readonly network: SimulatedNetwork;
  /** Whose connections these are. */
  readonly process: SimulatedProcess;
  /** The worker with this host name. */
  readonly workerAt: (host: string) => SimulatedWorker | undefined;
  /** Sees the commands of WorkerService. @param shards what the worker is to hold */
  readonly onCommand: (worker: SimulatedWorker, shards: readonly LayerShard[]) => void;
  /** By which calls may be routed now. */
  readonly followed: () => readonly Placement[];
}

/** The connections of one run of a coordinator, over the simulated network. */
export class SimulatedTransport implements Openers {
  readonly #options: SimulatedTransportOptions;

  constructor(options: SimulatedTransportOptions) {
    this.#options = options;
  }

  readonly openClient = ({ address, peer }: RpcTarget): RpcConnection =>
    new SimulatedClient(this.#options, hostOf(address), peer);

  readonly openStream = (address: string, events: GrpcStreamEvents): DispatchStream =>
    new SimulatedStream(this.#options, hostOf(address), events);
}

/**
 * One HTTP/2 connection: with the first message that is lost nothing that is sent later comes through, until keepalive
 * notices that and the calls fail; the next call connects anew.
 */
class SimulatedClient implements RpcConnection {
  readonly #options: SimulatedTransportOptions;
  readonly #host: string;
  readonly #peer: string;
  readonly #pending = new Set<PendingCall>();
  #isSilent = false;

  constructor(options: SimulatedTransportOptions, host: string, peer: string) {
    this.#options = options;
    this.#host = host;
    this.#peer = peer;
  }

  async unary<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    return (await this.#call(method.path, request, options, () => undefined)) as Response;
  }

  async *serverStream<Request, Response>(
    method: ServerStreamMethod<Request, Response>,
    request: Request,
    options: CallOptions,
  ): AsyncGenerator<Response, void, undefined> {
    let latest: Response | undefined;
    await this.#call(method.path, request, options, (progress) => (latest = progress as Response));
    if (latest !== undefined) yield latest;
  }

  close(): void {
    return;
  }

  #call(
    path: string,
    request: unknown,
    { deadlineMs, signal }: CallOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<unknown> {
    const { process } = this.#options;
    const [, method = ''] = path.split('/').slice(1);
    return new Promise((resolve, reject) => {
      const cancelling = path === workerService.load.path ? new AbortController() : undefined;
      const end = (): void => {
        answered();
        signal.removeEventListener('abort', onAbort);
        this.#pending.delete(call);
      };
      const giveUp = (error: ExpertmeshError): void => {
        call.reject(error);
        if (cancelling !== undefined) this.#cancelThere(cancelling);
      };
      const onAbort = (): void => {
        giveUp(new ExpertmeshError('cancelled', `${this.#peer}: ${method} was cancelled`));
      };
      const answered = answerDeadline(process.clock(), deadlineMs, () => {
        giveUp(new ExpertmeshError('deadline_exceeded', `${this.#peer} did not answer ${method} in time`));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      const call: PendingCall = {
        resolve: (response) => {
          end();
          resolve(response);
        },
        reject: (error) => {
          end();
          reject(error);
        },
        giveUp,
      };
      this.#pending.add(call);
      if (signal.aborted) onAbort();
      else this.#send(path, request, onProgress, cancelling?.signal ?? NEVER, call);
    });
  }

  #send(
    path: string,
    request: unknown,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
    { resolve, reject }: PendingCall,
  ): void {
    const { process, workerAt, sim, onCommand } = this.#options;
    const worker = workerAt(this.#host);
    if (worker?.process.isRunning !== true) {
      process.after(sim.between(0.1, 3), () => {
        reject(new ExpertmeshError('unavailable', `${this.#peer}: connection refused`));
      });
      return;
    }
    if (path === workerService.assign.path) onCommand(worker, (request as AssignRequest).shards);
    if (path === workerService.unload.path) onCommand(worker, []);
    const caller = process.bootId;
    const answer = (deliver: () => void): void => {
      this.#deliver(worker.process, process, () => {
        if (process.bootId === caller) deliver();
      });
    };
    this.#deliver(process, worker.process, () => {
      worker.serve(path, request, caller, onProgress, signal).then(
        (response) => {
          answer(() => {
            resolve(response);
          });
        },
        (thrown: unknown) => {
          const { code, message } = ExpertmeshError.from(thrown);
          answer(() => {
            reject(new ExpertmeshError(code, `${this.#peer}: ${message}`));
          });
        },
      );
    });
  }

  #deliver(from: SimulatedProcess, to: SimulatedProcess, deliver: () => void): void {
    if (!this.#isSilent && !this.#options.network.send(from, to, deliver)) this.#fallSilent();
  }

  #fallSilent(): void {
    const { process, sim } = this.#options;
    this.#isSilent = true;
    process.after(sim.between(LEAST_SILENCE_MS, MOST_SILENCE_MS), () => {
      this.#isSilent = false;
      for (const { giveUp } of [...this.#pending])
        giveUp(new ExpertmeshError('unavailable', `${this.#peer}: the connection was closed`));
    });
  }

  /** A worker notices that nobody waits any more when it is told, or by its own keepalive. */
  #cancelThere(cancelling: AbortController): void {
    const { network, process, workerAt, sim } = this.#options;
    const worker = workerAt(this.#host)?.process;
    const cancel = (): void => {
      cancelling.abort();
    };
    if (worker === undefined) return;
    if (this.#isSilent || !network.send(process, worker, cancel))
      worker.after(sim.between(LEAST_SILENCE_MS, MOST_SILENCE_MS), cancel);
  }
}

/** A call that has not been answered. */
interface PendingCall {
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: ExpertmeshError) => void;
  /** The worker is told that nobody waits for it. */
  readonly giveUp: (error: ExpertmeshError) => void;
}

/** Messages may overtake each other and come twice; with the first that is lost nothing comes through any more. */
class SimulatedStream implements DispatchStream {
  readonly #options: SimulatedTransportOptions;
  readonly #worker: SimulatedWorker | undefined;
  readonly #events: GrpcStreamEvents;
  readonly #caller: string;
  readonly #workerRun: string;
  #isOver = false;

  constructor(options: SimulatedTransportOptions, host: string, events: GrpcStreamEvents) {
    const { process, workerAt, sim } = options;
    this.#options = options;
    this.#events = events;
    this.#caller = process.bootId;
    this.#worker = workerAt(host);
    this.#workerRun = this.#worker?.process.bootId ?? '';
    if (this.#worker?.process.isRunning === true)
      this.#deliver('there and back', () => {
        events.onReady();
      });
    else
      process.after(sim.between(0.1, 3), () => {
        this.#end('connection refused');
      });
  }

  send(frame: Buffer): void {
    const worker = this.#worker;
    if (worker === undefined || this.#isOver) return;
    const message = frame.subarray(PREFIX_BYTES);
    const source = { caller: this.#caller, followed: this.#options.followed() };
    this.#deliver('there', () => {
      worker.dispatch(message, source, (answer) => {
        this.#deliver('back', () => {
          this.#events.onMessage(answer.subarray(PREFIX_BYTES));
        });
      });
    });
  }

  close(): void {
    this.#isOver = true;
  }

  #deliver(way: 'there' | 'back' | 'there and back', deliver: () => void): void {
    const { network, process } = this.#options;
    const worker = this.#worker?.process;
    if (worker === undefined || this.#isOver) return;
    const [from, to] = way === 'back' ? [worker, process] : [process, worker];
    const arrive = (): void => {
      if (this.#isOver && way === 'back') return;
      if (process.bootId !== this.#caller) return;
      if (worker.bootId !== this.#workerRun) this.#notice(0);
      else if (way === 'there and back') this.#deliver('back', deliver);
      else deliver();
    };
    const numCopies = network.isRepeated ? 2 : 1;
    for (let copy = 0; copy < numCopies; copy++) if (!network.send(from, to, arrive)) this.#notice(LEAST_SILENCE_MS);
    if (!worker.isRunning) this.#notice(0);
  }

  /** The connection is lost, which the coordinator comes to know later. */
  #notice(leastMs: number): void {
    const { process, sim } = this.#options;
    const afterMs = leastMs === 0 ? sim.between(0.1, 3) : sim.between(leastMs, MOST_SILENCE_MS);
    process.after(
      afterMs,
      () => {
        this.#end('the connection was closed');
      },
      this.#caller,
    );
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onEnd(reason);
  }
}

const hostOf = (address: string): string => address.split(':')[0] ?? '';
