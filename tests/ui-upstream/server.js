// Starts a Tidegate server that serves upstream's web UI, in a folder of its own, and stops it. Knows nothing of pages.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "./waiting.js";

/** The address of a running server, its log, and how to stop it and remove what it wrote. */
export async function start(binary, bundles) {
  const home = await mkdtemp(join(tmpdir(), "tidegate-ui-"));
  const log = join(home, "server.log");
  const output = await open(log, "w");
  const words = ["server", "start", "--host", "127.0.0.1", "--port", "0", "--ui-from", bundles];
  const server = spawn(binary, words, {
    cwd: home,
    env: { ...cleanEnvironment(), HOME: home, TIDEGATE_HOME: home, PREFECT_HOME: home },
    stdio: ["ignore", output.fd, output.fd],
  });
  await output.close();
  // Whoever stops the tests stops the server with them.
  const kill = () => server.kill("SIGKILL");
  process.once("exit", kill);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  const ended = once(server, "exit");
  const stop = async () => {
    server.kill("SIGTERM");
    await ended;
    process.off("exit", kill);
    await rm(home, { recursive: true, force: true });
  };
  try {
    const api = await until("the server listens", async () => {
      if (server.exitCode !== null) throw new Error(`the server ended at its start:\n${await readFile(log, "utf8")}`);
      const written = await readFile(join(home, "server.json"), "utf8").catch(() => null);
      return written && JSON.parse(written).api_url;
    });
    return { api, origin: new URL(api).origin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A server that somebody else started, and stops. */
export const running = (api) => ({ api, origin: new URL(api).origin, stop: async () => {} });

/** Nothing that could point at a real server or a real home. */
function cleanEnvironment() {
  const isOurs = ([name]) => !name.startsWith("PREFECT_") && !name.startsWith("TIDEGATE_");
  return Object.fromEntries(Object.entries(process.env).filter(isOurs));
}
