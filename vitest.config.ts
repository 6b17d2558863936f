import { defineConfig } from 'vitest/config';

// Unit tests sit beside the code and are quick. Everything under test/ runs the built packages: real gRPC, real
// processes, real files. Most tests wait more than they compute, so that there are as many files at a time as cores;
// what starts whole clusters and measures time comes after them, one file at a time.
const MANY = { maxWorkers: '100%', sequence: { groupOrder: 0 } } as const;
const ONE = { fileParallelism: false, sequence: { groupOrder: 1 } } as const;

export default defineConfig({
  test: {
    globalSetup: 'packages/test-kit/src/global-setup.ts',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts'],
          exclude: ['packages/test-kit/**'],
          ...MANY,
          // Some pack a model, and CI's cores may be busy.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/{contract,bench,simulation}/**/*.test.ts', 'packages/test-kit/src/**/*.test.ts'],
          ...MANY,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'golden',
          include: ['test/golden/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          ...MANY,
        },
      },
      {
        test: {
          // A short form of each; with CHAOS=full (npm run test:chaos) as long as their figures ask for.
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          testTimeout: process.env['CHAOS'] === 'full' ? 3_600_000 : 300_000,
          hookTimeout: 120_000,
          ...ONE,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          ...ONE,
        },
      },
    ],
  },
});
