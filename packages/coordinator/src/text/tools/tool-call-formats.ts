import { type ToolCallFormat } from '../../sampling/grammar/constraint.js';
import { type ToolCallSyntax } from './call-syntax.js';
import { parseCoderCall } from './coder-call.js';
import { parseHermesCall } from './hermes-call.js';

const SYNTAXES: Readonly<Record<ToolCallFormat, ToolCallSyntax>> = {
  hermes: { openings: ['<tool_call>'], parse: parseHermesCall },
  // Qwen3-Coder leaves the outer tag out at times.
  qwen3_coder_xml: { openings: ['<tool_call>', '<function='], parse: parseCoderCall },
};

export function syntaxOf(format: ToolCallFormat): ToolCallSyntax {
  return SYNTAXES[format];
}

/** Models write calls as their template shows it to them. */
export function formatOfTemplate(source: string): ToolCallFormat {
  return source.includes('<function=') ? 'qwen3_coder_xml' : 'hermes';
}
