import { Argument, Command } from 'commander';
import { completionNodes } from '../completion/command-tree.js';
import { completionScript, SHELLS, type Shell } from '../completion/completion-script.js';

/** @param root the whole command line, which is looked at when the command runs. */
export function completionCommand(root: Command): Command {
  return new Command('completion')
    .description('Print a script that completes commands and flags in a shell.')
    .addArgument(new Argument('<shell>', 'The shell.').choices(SHELLS))
    .addHelpText(
      'after',
      `
  bash:  source <(expertmesh completion bash)
  zsh:   source <(expertmesh completion zsh)
  fish:  expertmesh completion fish > ~/.config/fish/completions/expertmesh.fish
The first two go into ~/.bashrc and ~/.zshrc.`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, completionNodes(root)));
    });
}
