import { type ServedModel } from '../generation/served-model.js';
import { type InFlightRequests } from './in-flight-requests.js';
import { type UnknownFields } from './parse-request.js';

/** What every route of the model needs. */
export interface ApiContext {
  readonly model: ServedModel;
  readonly inFlight: InFlightRequests;
  /** Those at the top of a request; inside of messages and tools they are always ignored. */
  readonly unknownFields: UnknownFields;
}
