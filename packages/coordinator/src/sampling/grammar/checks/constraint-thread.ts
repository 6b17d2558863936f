import { serveThread } from '@expertmesh/shared/threads/serve-thread';
import { checkConstraint } from '../check-constraint.js';
import { type ConstraintContract } from './constraint-contract.js';

serveThread<ConstraintContract>(() => ({
  ready: true,
  requests: {
    check: (constraint) => {
      checkConstraint(constraint);
      return Promise.resolve();
    },
  },
  messages: {},
}));
