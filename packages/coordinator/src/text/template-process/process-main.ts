import { answerTask } from './bounded-render.js';
import { type TemplateTask } from './template-task.js';

// The entry of the process: see template-process.ts, which forks it and is the only one that speaks with it.

process.on('message', (task: TemplateTask) => {
  process.send?.(answerTask(task));
});
process.on('disconnect', () => {
  process.exit();
});
