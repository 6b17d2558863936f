/** Where each role listens unless told otherwise. */
export const DEFAULT_PORTS = { http: 8000, grpc: 9000, data: 9100, control: 9101 } as const;
