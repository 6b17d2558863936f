import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// A file is about one concept; past this, look for the second one.
const MAX_LINES = 300;
// A function fits a screen.
const MAX_FUNCTION_LINES = 40;
const MAX_COLUMNS = 120;

export default defineConfig(
  { ignores: ['**/dist/', '**/node_modules/', 'packages/shared/src/gen/', 'test/golden/data/', '.cache/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        // The packages' own projects leave the tests out, so that they are not emitted; test/ has them all.
        project: ['packages/*/tsconfig.json', 'test/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'max-lines': ['error', { max: MAX_LINES }],
      'max-lines-per-function': ['error', { max: MAX_FUNCTION_LINES, skipBlankLines: true, skipComments: true }],
      'max-len': ['error', { code: MAX_COLUMNS, ignoreUrls: true, ignoreRegExpLiterals: true }],
      'no-console': 'error',
      'no-empty': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // A leading underscore says that a position must be named and is not wanted.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // process.env['NAME'] is what noPropertyAccessFromIndexSignature asks for.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Export names: they read the same at both ends.' },
        { selector: 'TSEnumDeclaration', message: 'Use a union of literals.' },
        {
          // One that is a constant of a named type may be an arrow function: it is what that type says.
          selector:
            'ExportNamedDeclaration > VariableDeclaration > VariableDeclarator[id.typeAnnotation=undefined][init.type="ArrowFunctionExpression"]',
          message: 'Export functions; arrow functions are for callbacks.',
        },
      ],
    },
  },
  {
    // What a test sets up and describes is read from top to bottom.
    files: ['**/*.test.ts', 'test/**/*.ts', 'packages/test-kit/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // Programs that print what they measured.
    files: ['test/bench/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // The test kit gives these tests objects of the built package, which are of the same classes as those of the
    // source.
    files: ['packages/kernels/src/*.test.ts'],
    rules: { '@typescript-eslint/no-unsafe-class-instance-assignment': 'off' },
  },
  {
    files: ['vitest.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
