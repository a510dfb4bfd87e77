// Opens every page of upstream's own web UI, unmodified, against our server, and counts what fails: 0 it has to be.
//
//   node tests/ui-upstream/run.js --binary target/debug/tidegate --python …/bin/python [--only PATTERN] [--screenshots DIR]
//   node tests/ui-upstream/run.js --url http://127.0.0.1:4200/api    a server that runs, and that nobody needs as it is

import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { chromium } from "playwright-core";

import { Api } from "./api.js";
import { actions } from "./actions.js";
import { pages } from "./pages.js";
import { seed } from "./seed.js";
import { running, start } from "./server.js";
import { isKnown } from "./known.js";
import { keepInside, Watch } from "./watch.js";

const GENERATIONS = { v1: "", v2: "/v2" };
// At once: a page keeps one core busy.
const AT_ONCE = 2;
// Ends what will never come, on however loaded a machine.
const PATIENCE = 120_000;

const { values: options } = parseArgs({
  options: {
    binary: { type: "string" },
    python: { type: "string" },
    url: { type: "string" },
    only: { type: "string", default: "" },
    screenshots: { type: "string" },
  },
});

const counts = { passed: 0, failed: 0 };
const outside = new Set();
const known = new Set();

/** One check: what it did, without a problem, or what went wrong. */
async function check(browser, origin, name, visit) {
  if (!new RegExp(options.only).test(name)) return;
  const page = await browser.newPage();
  const watch = new Watch(page, origin);
  try {
    await visit(page, watch);
  } catch (error) {
    watch.problems.push(error.message);
  }
  if (options.screenshots) await page.screenshot({ path: join(options.screenshots, `${name.replace(/[^a-z0-9]+/gi, "-")}.png`) });
  await page.close();
  const problems = watch.problems.filter((problem) => {
    const reason = isKnown(problem);
    if (reason) known.add(reason);
    return !reason;
  });
  counts[problems.length ? "failed" : "passed"] += 1;
  console.log(problems.length ? `FAIL ui-upstream ${name}` : `ok ${name}`);
  for (const problem of problems) console.log(`     ${problem}`);
}

/** Opens the page, and each of its tabs, and waits until it shows what it is for. */
const opens = (url, { text, tabs }) => async (page, watch) => {
  await page.goto(url);
  await page.getByText(text, { exact: false }).locator("visible=true").first().waitFor();
  await watch.settles();
  const count = tabs ? await page.getByRole("tab").count() : 0;
  for (let at = 0; at < count; at += 1) {
    const tab = page.getByRole("tab").nth(at);
    if (!(await tab.isVisible()) || !(await tab.isEnabled())) continue;
    await tab.click();
    await watch.settles();
  }
};

/** The folder of the `prefect` package that an interpreter has. */
function installed(python) {
  const words = 'import importlib.util as u; print(u.find_spec("prefect").submodule_search_locations[0])';
  return execFileSync(python, ["-c", words], { encoding: "utf8" }).trim();
}

/** Takes tasks from the list, several at a time, each once. */
async function several(tasks) {
  const next = tasks[Symbol.iterator]();
  const line = async () => {
    for (const task of next) await task();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
}

if (options.screenshots) await mkdir(options.screenshots, { recursive: true });
const server = options.url ? running(options.url) : await start(options.binary, installed(options.python));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Containers have neither a sandbox of their own nor a graphics card.
  args: ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
try {
  const api = new Api(server.api);
  const there = await seed(api);
  for (const [generation, base] of Object.entries(GENERATIONS)) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    context.setDefaultTimeout(PATIENCE);
    // What somebody chose who uses this generation; `/` leads there.
    await context.addCookies([{ name: "prefect_ui_version", value: generation, url: server.origin }]);
    await keepInside(context, server.origin, outside);
    const visit = (page) => () => check(context, server.origin, `${generation} ${page.name}`, opens(`${server.origin}${base}${page.path}`, page));
    await several(pages(there).map(visit));
    if (generation === "v2") {
      const done = Object.entries(actions(`${server.origin}${base}`, api, there));
      await several(done.map(([name, act]) => () => check(context, server.origin, `${generation} ${name}`, act)));
    }
    await context.close();
  }
} finally {
  await browser.close();
  await server.stop();
}
for (const address of outside) console.log(`not let through: ${address}`);
for (const reason of known) console.log(`known: ${reason}`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed ? 1 : 0;
