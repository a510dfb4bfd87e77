// What people do on the pages of the second generation, and that the server has recorded it.

import { until } from "./waiting.js";

/** By name: each is given a page, and its watch. */
export function actions(base, api, { deployment, blocks }) {
  return {
    "filters runs by name": async (page, watch) => {
      await page.goto(`${base}/runs`);
      await page.getByText("run-failed").first().waitFor();
      await page.getByPlaceholder("Search by flow run name").fill("run-crash");
      await page.getByText("1 Flow run", { exact: true }).waitFor();
      await page.getByText("run-failed").first().waitFor({ state: "detached" });
      await watch.settles();
    },
    "starts a run of a deployment with its form": async (page, watch) => {
      await page.goto(`${base}/deployments/deployment/${deployment}/run`);
      await page.getByLabel("Run Name").fill("from-a-form");
      await page.getByLabel("number").fill("11");
      await page.getByRole("button", { name: "Submit" }).click();
      const filter = { flow_runs: { name: { any_: ["from-a-form"] } } };
      const [run] = await until("the run is there", async () => {
        const found = await api.post("/flow_runs/filter", filter);
        return found.length === 1 && found;
      });
      same(run.parameters.number, 11);
      same(run.deployment_id, deployment);
      await watch.settles();
    },
    "pauses a schedule": async (page, watch) => {
      const schedules = async () => (await api.get(`/deployments/${deployment}`)).schedules;
      const morning = async () => (await schedules()).find(({ slug }) => slug === "morning");
      same((await morning()).active, true);
      await page.goto(`${base}/deployments/deployment/${deployment}`);
      const card = page.getByText("At 07:00 AM").locator("xpath=ancestor::*[.//button[@role='switch']][1]");
      await card.getByRole("switch").click();
      await until("the schedule is paused", async () => !(await morning()).active);
      await watch.settles();
    },
    "creates a variable": async (page, watch) => {
      await page.goto(`${base}/variables`);
      await page.getByRole("button", { name: "Add variable" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill("from_a_page");
      await dialog.locator(".cm-content").click();
      await page.keyboard.insertText('{"a": [1, null]}');
      await dialog.getByRole("button", { name: "Create" }).click();
      await dialog.waitFor({ state: "detached" });
      same((await api.get("/variables/name/from_a_page")).value, { a: [1, null] });
      await watch.settles();
    },
    "deletes a block": async (page, watch) => {
      await page.goto(`${base}/blocks`);
      const row = page.getByRole("row").filter({ hasText: "doomed" });
      await row.getByRole("button", { name: "Open menu" }).click();
      await page.getByRole("menuitem", { name: "Delete" }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
      await until("the block is gone", async () => {
        const left = await api.post("/block_documents/filter");
        return left.every(({ id }) => id !== blocks.doomed);
      });
      await watch.settles();
    },
  };
}

function same(given, expected) {
  const [left, right] = [given, expected].map((value) => JSON.stringify(value));
  if (left !== right) throw new Error(`${left} is not ${right}`);
}
