import {
  AttributeProto_AttributeType,
  ModelProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../gen/onnx/onnx.js';
import { type StoredDtype, type StoredTensor } from '../expert-store/blob-layout.js';
import { CPU_FORM, type GraphForm } from './onnx-provider.js';

/** ai.onnx opset that the graphs are written in; com.microsoft holds ONNX Runtime's own operators. */
const OPSET_VERSION = 21;
const IR_VERSION = 10;
export const MICROSOFT_DOMAIN = 'com.microsoft';

export type ElementType = 'float32' | 'int32' | 'int64';

/** A fixed size, or the name of one that is only known at run time. */
export type Dim = number | string;

/** Attribute values: integers by `int`/`ints`, so that 1 and 1.0 stay apart. */
export type Attribute = { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] };

/** Name of a value in the graph: what a node gives and another takes. */
export type Value = string;

const ELEMENT_TYPES: Record<ElementType, TensorProto_DataType> = {
  float32: TensorProto_DataType.FLOAT,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
};

const STORED_TYPES: Record<StoredDtype, TensorProto_DataType> = {
  F32: TensorProto_DataType.FLOAT,
  F16: TensorProto_DataType.FLOAT16,
  BF16: TensorProto_DataType.BFLOAT16,
  U8: TensorProto_DataType.UINT8,
};

/** Collects the nodes of one ONNX graph and writes it as a serialized ModelProto. */
export class GraphBuilder {
  readonly #graph: GraphProto;
  readonly #names = new Map<string, number>();
  /** Of the provider that is to run the graph. */
  readonly form: GraphForm;

  constructor(name: string, form = CPU_FORM) {
    this.form = form;
    this.#graph = { name, node: [], initializer: [], input: [], output: [] };
  }

  input(name: string, type: ElementType, dims: readonly Dim[]): Value {
    this.#graph.input.push(valueInfo(name, type, dims));
    return name;
  }

  /** Names a value and makes it an output of the graph. */
  output(name: string, type: ElementType, dims: readonly Dim[], value: Value): void {
    this.#graph.node.push(nodeProto('Identity', '', [value], [name], {}));
    this.#graph.output.push(valueInfo(name, type, dims));
  }

  /** A small int64 vector (shapes, split sizes, axes) that lives in the graph itself. */
  ints(values: readonly number[]): Value {
    const name = this.#unique('ints');
    const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.#graph.initializer.push({
      ...tensorProto(name, TensorProto_DataType.INT64, [values.length]),
      rawData: raw,
    });
    return name;
  }

  /** A tensor of the expert store: the graph refers to the file, its bytes never pass through JavaScript. */
  stored(tensor: StoredTensor, blobPath: string): Value {
    const name = this.#unique(tensor.name);
    this.#graph.initializer.push({
      ...tensorProto(name, STORED_TYPES[tensor.dtype], tensor.shape),
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [
        { key: 'location', value: blobPath },
        { key: 'offset', value: String(tensor.offsetBytes) },
        { key: 'length', value: String(tensor.sizeBytes) },
      ],
    });
    return name;
  }

  /** Adds a node with one output. */
  op(opType: string, inputs: readonly Value[], attributes: Record<string, Attribute> = {}, domain = ''): Value {
    const output = this.#unique(opType);
    this.#graph.node.push(nodeProto(opType, domain, inputs, [output], attributes));
    return output;
  }

  /** Adds a node with several outputs. */
  opMany(
    opType: string,
    inputs: readonly Value[],
    numOutputs: number,
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): Value[] {
    const outputs = Array.from({ length: numOutputs }, () => this.#unique(opType));
    this.#graph.node.push(nodeProto(opType, domain, inputs, outputs, attributes));
    return outputs;
  }

  /** The serialized ModelProto. */
  build(): Uint8Array {
    return ModelProto.encode({
      irVersion: IR_VERSION,
      producerName: 'expertmesh',
      graph: this.#graph,
      opsetImport: [
        { domain: '', version: OPSET_VERSION },
        { domain: MICROSOFT_DOMAIN, version: 1 },
      ],
    }).finish();
  }

  #unique(base: string): string {
    const uses = this.#names.get(base) ?? 0;
    this.#names.set(base, uses + 1);
    return `${base}_${String(uses)}`;
  }
}

function tensorProto(name: string, dataType: TensorProto_DataType, dims: readonly number[]): TensorProto {
  return {
    name,
    dataType,
    dims: [...dims],
    rawData: new Uint8Array(),
    externalData: [],
    dataLocation: TensorProto_DataLocation.DEFAULT,
  };
}

function valueInfo(name: string, type: ElementType, dims: readonly Dim[]): ValueInfoProto {
  const dim = dims.map((size) => ({
    value:
      typeof size === 'number'
        ? ({ $case: 'dimValue', value: size } as const)
        : ({ $case: 'dimParam', value: size } as const),
  }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPES[type], shape: { dim } } } };
}

function nodeProto(
  opType: string,
  domain: string,
  input: readonly Value[],
  output: readonly Value[],
  attributes: Record<string, Attribute>,
): NodeProto {
  return {
    opType,
    domain,
    name: `${opType}:${output[0] ?? ''}`,
    input: [...input],
    output: [...output],
    attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
  };
}

function attributeProto(name: string, value: Attribute): AttributeProto {
  const empty = { name, f: 0, i: 0, s: new Uint8Array(), floats: [], ints: [] };
  if ('int' in value) return { ...empty, type: AttributeProto_AttributeType.INT, i: value.int };
  if ('float' in value) return { ...empty, type: AttributeProto_AttributeType.FLOAT, f: value.float };
  return { ...empty, type: AttributeProto_AttributeType.INTS, ints: [...value.ints] };
}
