export default { esbuild: { jsx: 'automatic' }, build: { target: 'esnext' } };
