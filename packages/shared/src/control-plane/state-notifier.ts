import { type Logger } from '../process/logger.js';
import { type ControlPlaneState } from './control-plane.js';

/** The state of a control plane, and who wants to hear of its changes. */
export class StateNotifier {
  readonly #logger: Logger;
  readonly #listeners = new Set<(state: ControlPlaneState) => void>();
  #state: ControlPlaneState;

  constructor(state: ControlPlaneState, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
  }

  get state(): ControlPlaneState {
    return this.#state;
  }

  set(state: ControlPlaneState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of [...this.#listeners])
      try {
        listener(state);
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener to the state of the control plane has failed');
      }
  }

  add(listener: (state: ControlPlaneState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
