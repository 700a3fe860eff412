// Runs a script in Node and prints its result: node main.js SCRIPT ARGUMENTS, where ARGUMENTS is a JSON array.
const [script, args] = process.argv.slice(2);
const { default: run } = await import(`./${script}`);
console.log(JSON.stringify(await run(...JSON.parse(args))));
