import { LeaderElection } from '@expertmesh/shared/cluster/leader-election';
import { type LeaderRecord } from '@expertmesh/shared/cluster/member-record';
import { type ControlPlane, type ControlPlaneState } from '@expertmesh/shared/control-plane/control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';

/** The time in which this coordinator leads: what it does as the leader ends with `signal`. */
export interface Office {
  readonly epoch: number;
  readonly signal: AbortSignal;
}

/**
 * @throws ExpertmeshError for what only a leader may do: `unavailable` while nobody can lead, else
 * `failed_precondition`.
 */
export function requireOffice(office: Office | undefined, state: ControlPlaneState): Office {
  if (office !== undefined) return office;
  if (state === 'away')
    throw new ExpertmeshError('unavailable', 'the control plane is away: ask again when it is back');
  throw new ExpertmeshError(
    'failed_precondition',
    'this coordinator does not lead: ask the one that does, or try again',
  );
}

export interface LeadershipOptions {
  readonly controlPlane: ControlPlane;
  readonly coordinatorId: string;
  readonly bootId: string;
  readonly knownEpoch: () => number;
  /** undefined when the office ends. */
  readonly onOffice: (office: Office | undefined) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Takes part in the election of the leader; what a leader does has an end when its office has. */
export class Leadership {
  readonly #election: LeaderElection;
  #office: { readonly epoch: number; readonly abort: AbortController } | undefined;

  constructor(options: LeadershipOptions) {
    const { onOffice } = options;
    this.#election = new LeaderElection({
      ...options,
      onElected: (epoch) => {
        const abort = new AbortController();
        this.#office = { epoch, abort };
        onOffice({ epoch, signal: abort.signal });
      },
      onDeposed: () => {
        this.#office?.abort.abort();
        this.#office = undefined;
        onOffice(undefined);
      },
    });
  }

  /** undefined while this coordinator does not lead; to be asked again after every await. */
  get office(): Office | undefined {
    if (this.#office === undefined || this.#election.epoch !== this.#office.epoch) return undefined;
    return { epoch: this.#office.epoch, signal: this.#office.abort.signal };
  }

  get leader(): LeaderRecord | undefined {
    return this.#election.leader;
  }

  close(): Promise<void> {
    return this.#election.close();
  }
}
