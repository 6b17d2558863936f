import { type CompletionNode, type CompletionWord } from './command-tree.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** A script that completes commands and flags, and files where a value is wanted. */
export function completionScript(shell: Shell, nodes: readonly CompletionNode[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(nodes);
    case 'zsh':
      return zshScript(nodes);
    case 'fish':
      return fishScript(nodes);
  }
}

const PROGRAM = 'expertmesh';

const words = (list: readonly CompletionWord[]): string => list.map(({ word }) => word).join(' ');

const isParent = (node: CompletionNode): boolean => node.commands.length > 0;

// The path is what was typed before the word at the cursor, as far as it names commands.
const bashScript = (nodes: readonly CompletionNode[]): string => `# bash completion of ${PROGRAM}
_${PROGRAM}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word candidate
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    candidate="\${path:+$path }$word"
    case "$candidate" in
      ${nodes
        .filter(({ path }) => path.length > 0)
        .map(({ path }) => `"${path.join(' ')}"`)
        .join(' | ')}) path="$candidate" ;;
    esac
  done
  local commands="" flags=""
  case "$path" in
${nodes.map(bashCase).join('\n')}
  esac
  if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n "$commands" ]]; then COMPREPLY=($(compgen -W "$commands" -- "$current"))
  else COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _${PROGRAM} ${PROGRAM}
`;

// No variable may be called `path` here: in zsh that one says where programs are.
const zshScript = (nodes: readonly CompletionNode[]): string => `#compdef ${PROGRAM}
_${PROGRAM}() {
  local typed="" word candidate
  for word in "\${(@)words[2,CURRENT-1]}"; do
    candidate="\${typed:+$typed }$word"
    case "$candidate" in
      ${nodes
        .filter(({ path }) => path.length > 0)
        .map(({ path }) => `"${path.join(' ')}"`)
        .join('|')}) typed="$candidate" ;;
    esac
  done
  local -a commands flags
  case "$typed" in
${nodes.map(zshCase).join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then _describe flag flags
  elif (( \${#commands} )); then _describe command commands
  else _files; fi
}
if [[ "\${funcstack[1]}" == "_${PROGRAM}" ]]; then _${PROGRAM} "$@"; else compdef _${PROGRAM} ${PROGRAM}; fi
`;

const bashCase = ({ path, commands, flags }: CompletionNode): string =>
  `    "${path.join(' ')}") commands="${words(commands)}"; flags="${words(flags)}" ;;`;

const zshCase = ({ path, commands, flags }: CompletionNode): string =>
  `    "${path.join(' ')}") commands=(${zshWords(commands)}); flags=(${zshWords(flags)}) ;;`;

const zshWords = (list: readonly CompletionWord[]): string =>
  list.map(({ word, description }) => quoted(`${word}:${description.replaceAll(':', ' ')}`)).join(' ');

function fishScript(nodes: readonly CompletionNode[]): string {
  const lines = nodes.flatMap((node) => {
    const condition = `-n ${quoted(`__${PROGRAM}_at ${quotedInside(node.path.join(' '))}`)}`;
    const commands = node.commands.map(
      ({ word, description }) => `complete -c ${PROGRAM} ${condition} -f -a ${word} -d ${quoted(description)}`,
    );
    const flags = node.flags.map(
      ({ word, description }) => `complete -c ${PROGRAM} ${condition} -l ${word.slice(2)} -d ${quoted(description)}`,
    );
    return [...commands, ...flags];
  });
  const parents = nodes.filter(isParent).map(({ path }) => quoted(path.join(' ')));
  return `# fish completion of ${PROGRAM}
# Whether the commands that were typed are exactly these.
function __${PROGRAM}_at
  set -l path
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    contains -- "$path" ${parents.join(' ')}; and set -a path $word
  end
  test "$path" = "$argv"
end
${lines.join('\n')}
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const quotedInside = (text: string): string => `"${text}"`;
