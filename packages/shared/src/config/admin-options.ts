import { z } from 'zod';
import { ADMIN_KEY } from './access-options.js';
import { DEFAULT_PORTS } from './default-ports.js';
import { formatNetworkAddress, parseNetworkAddress } from './network-address.js';
import { TLS_OPTIONS } from './tls-options.js';
import { constant, option } from './option.js';
import { type OptionValue } from './option-value.js';

/** Of every command that speaks with a running cluster. */
export const ADMIN_OPTIONS = {
  coordinator: option({
    description: 'A coordinator, by its gRPC address. Any one will do: what only the leader may do is passed on to it.',
    value: grpcAddress(),
    default: constant(`127.0.0.1:${String(DEFAULT_PORTS.grpc)}`),
  }),
  adminKey: ADMIN_KEY,
  ...TLS_OPTIONS,
} as const;

function grpcAddress(): OptionValue<string> {
  return {
    placeholder: '<host[:port]>',
    accepts: `an address such as box-0 or 10.0.0.5:${String(DEFAULT_PORTS.grpc)}`,
    schema: z.string().transform((text, context) => {
      const address = parseNetworkAddress(text.trim(), DEFAULT_PORTS.grpc);
      if (address === undefined) context.addIssue({ code: 'custom' });
      return address === undefined ? z.NEVER : formatNetworkAddress(address);
    }),
  };
}
