import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
} from '@grpc/grpc-js';

/** What ts-proto's `outputServices=generic-definitions` writes for a service. */
export interface GenericDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, GenericMethod>>;
}

interface GenericMethod {
  readonly name: string;
  readonly requestType: MessageType;
  readonly requestStream: boolean;
  readonly responseType: MessageType;
  readonly responseStream: boolean;
}

// `never` accepts the generated functions of every message; the service's mapped type gives each its own again.
interface MessageType {
  encode(message: never): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

/** Serializers that take the place of the generated ones. */
export interface MethodCodec<Request, Response> {
  readonly encodeRequest: (request: Request) => Buffer;
  readonly decodeRequest: (bytes: Buffer) => Request;
  readonly encodeResponse: (response: Response) => Buffer;
  readonly decodeResponse: (bytes: Buffer) => Response;
}

type Codecs<Definition extends GenericDefinition> = {
  readonly [Name in keyof Definition['methods']]?: UntypedCodec;
};

interface UntypedCodec {
  readonly encodeRequest: (request: never) => Buffer;
  readonly decodeRequest: (bytes: Buffer) => unknown;
  readonly encodeResponse: (response: never) => Buffer;
  readonly decodeResponse: (bytes: Buffer) => unknown;
}

/** A grpc-js method that remembers in its type which sides stream. */
export interface Method<
  Request,
  Response,
  RequestStream extends boolean,
  ResponseStream extends boolean,
> extends MethodDefinition<Request, Response> {
  readonly requestStream: RequestStream;
  readonly responseStream: ResponseStream;
}

export type UnaryMethod<Request, Response> = Method<Request, Response, false, false>;
export type ServerStreamMethod<Request, Response> = Method<Request, Response, false, true>;

type MessageOf<Type> = Type extends { decode(bytes: Uint8Array): infer Message } ? Message : never;

type MethodOf<Generic extends GenericMethod, Codec> =
  Codec extends MethodCodec<infer Request, infer Response>
    ? Method<Request, Response, Generic['requestStream'], Generic['responseStream']>
    : Method<
        MessageOf<Generic['requestType']>,
        MessageOf<Generic['responseType']>,
        Generic['requestStream'],
        Generic['responseStream']
      >;

export type Service<Definition extends GenericDefinition, Own extends Codecs<Definition>> = {
  readonly [Name in keyof Definition['methods']]: MethodOf<
    Definition['methods'][Name],
    Name extends keyof Own ? Own[Name] : undefined
  >;
};

/** The handlers that a server of this service must have. */
export type Handlers<ServiceType> = {
  readonly [Name in keyof ServiceType]: ServiceType[Name] extends Method<
    infer Request,
    infer Response,
    infer RequestStream,
    infer ResponseStream
  >
    ? HandlerOf<Request, Response, RequestStream, ResponseStream>
    : never;
};

type HandlerOf<Request, Response, RequestStream, ResponseStream> = RequestStream extends true
  ? ResponseStream extends true
    ? handleBidiStreamingCall<Request, Response>
    : handleClientStreamingCall<Request, Response>
  : ResponseStream extends true
    ? handleServerStreamingCall<Request, Response>
    : handleUnaryCall<Request, Response>;

/**
 * Turns a generated service description into the one that grpc-js clients and servers take. Messages are written
 * without a copy; `bytes` fields are read as views. `codecs` names the methods that have serializers of their own.
 */
export function toServiceDefinition<
  const Definition extends GenericDefinition,
  const Own extends Codecs<Definition> = object,
>(definition: Definition, codecs?: Own): Service<Definition, Own> {
  const methods = Object.entries(definition.methods).map(([name, method]) => [
    name,
    toMethod(definition.fullName, method, codecs?.[name]),
  ]);
  return Object.fromEntries(methods) as Service<Definition, Own>;
}

function toMethod(serviceName: string, method: GenericMethod, codec: UntypedCodec | undefined): UntypedMethod {
  return {
    path: `/${serviceName}/${method.name}`,
    originalName: method.name,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: codec?.encodeRequest ?? encoder(method.requestType),
    requestDeserialize: codec?.decodeRequest ?? decoder(method.requestType),
    responseSerialize: codec?.encodeResponse ?? encoder(method.responseType),
    responseDeserialize: codec?.decodeResponse ?? decoder(method.responseType),
  };
}

interface UntypedMethod {
  readonly path: string;
  readonly originalName: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (response: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

const encoder =
  (type: MessageType) =>
  (message: never): Buffer => {
    const { buffer, byteOffset, byteLength } = type.encode(message).finish();
    return Buffer.from(buffer, byteOffset, byteLength);
  };

const decoder =
  (type: MessageType) =>
  (bytes: Buffer): unknown =>
    type.decode(bytes);
