// Fills a server with something of every kind that the pages show, and tells the ids that addresses need.

import { randomUUID } from "node:crypto";

const MINUTE = 60_000;
const ago = (minutes) => new Date(Date.now() - minutes * MINUTE).toISOString();

/** Every state that a run can be in, by the name that people read. */
export const STATES = {
  Scheduled: "SCHEDULED",
  Late: "SCHEDULED",
  AwaitingRetry: "SCHEDULED",
  Resuming: "SCHEDULED",
  Pending: "PENDING",
  Submitting: "PENDING",
  Running: "RUNNING",
  Retrying: "RUNNING",
  Paused: "PAUSED",
  Suspended: "PAUSED",
  Cancelling: "CANCELLING",
  Cancelled: "CANCELLED",
  Completed: "COMPLETED",
  Cached: "COMPLETED",
  RolledBack: "COMPLETED",
  Failed: "FAILED",
  TimedOut: "FAILED",
  Crashed: "CRASHED",
};

const SCHEMA = {
  type: "object",
  title: "Parameters",
  required: ["name"],
  properties: {
    name: { type: "string", title: "name", position: 0 },
    number: { type: "integer", title: "number", position: 1, default: 3 },
    when: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }], title: "when", position: 2, default: null },
    kind: { $ref: "#/definitions/Kind", position: 3, default: "one" },
    words: { type: "array", items: { type: "string" }, title: "words", position: 4, default: ["a"] },
    loud: { type: "boolean", title: "loud", position: 5, default: false },
  },
  definitions: { Kind: { title: "Kind", type: "string", enum: ["one", "two"] } },
};

export async function seed(api) {
  const pool = await pools(api);
  const blocks = await documents(api);
  const { deployment, flow } = await deployments(api, pool);
  const runs = await flowRuns(api, flow, deployment, pool);
  const tasks = await taskRuns(api, runs.completed, runs.child);
  const artifacts = await makeArtifacts(api, runs.completed, tasks.first);
  await api.post("/logs/", logs(runs.completed, tasks.first));
  const automations = await makeAutomations(api, deployment, pool, blocks.slack);
  const limits = await makeLimits(api, tasks.first);
  const event = await events(api, runs.completed, deployment);
  await api.post("/variables/", { name: "answer", value: { deep: [42, null, "text"] }, tags: ["deep"] });
  await api.post("/variables/", { name: "plain", value: "text", tags: [] });
  await api.call("PUT", "/saved_searches/", {
    name: "failed",
    filters: [{ object: "flow_run", property: "state", type: "state", operation: "any", value: ["Failed"] }],
  });
  return { flow, deployment, pool, blocks, runs, tasks, artifacts, automations, limits, event };
}

async function pools(api) {
  const { prefect } = await api.get("/collections/views/aggregate-worker-metadata");
  const name = "here";
  const template = prefect.process.default_base_job_configuration;
  await api.post("/work_pools/", { name, type: "process", base_job_template: template, concurrency_limit: 9 });
  await api.post("/work_pools/", { name: "resting", type: "process", base_job_template: {}, is_paused: true });
  await api.post(`/work_pools/${name}/queues`, { name: "urgent", priority: 1, concurrency_limit: 2, description: "first" });
  await api.post(`/work_pools/${name}/queues`, { name: "slow", is_paused: true });
  await api.post(`/work_pools/${name}/workers/heartbeat`, { name: "worker-1", heartbeat_interval_seconds: 3600 });
  return { name, queue: "urgent" };
}

async function documents(api) {
  const slack = { name: "Slack Webhook", slug: "slack-webhook", description: "Tells a channel.", code_example: "```python\nnotify()\n```" };
  const fields = {
    title: "SlackWebhook",
    type: "object",
    block_type_slug: slack.slug,
    secret_fields: ["url"],
    required: ["url"],
    properties: { url: { title: "Webhook URL", type: "string", format: "password", writeOnly: true } },
  };
  const { id } = await api.get(`/block_types/slug/${slack.slug}`).catch(() => api.post("/block_types/", slack));
  await api.post("/block_schemas/", { block_type_id: id, fields, capabilities: ["notify"] });
  const make = async (slug, name, data) => {
    const type = await api.get(`/block_types/slug/${slug}`);
    const filter = { block_schemas: { block_type_id: { any_: [type.id] } } };
    const [schema] = await api.post("/block_schemas/filter", filter);
    const body = { name, data, block_type_id: type.id, block_schema_id: schema.id };
    return (await api.post("/block_documents/", body)).id;
  };
  return {
    secret: await make("secret", "door", { value: "sesame" }),
    webhook: await make("webhook", "bell", { method: "POST", url: "http://127.0.0.1:9/", headers: {} }),
    slack: await make("slack-webhook", "channel", { url: "http://127.0.0.1:9/" }),
    doomed: await make("secret", "doomed", { value: "nothing" }),
  };
}

async function deployments(api, pool) {
  const flow = (await api.post("/flows/", { name: "hello", tags: ["greeting"] })).id;
  await api.post("/flows/", { name: "never-run" });
  const body = {
    name: "daily",
    flow_id: flow,
    work_pool_name: pool.name,
    work_queue_name: pool.queue,
    entrypoint: "flows.py:hello",
    path: "/code",
    version: "7",
    description: "# What it does\n\nIt says *hello*.",
    tags: ["greeting", "daily"],
    parameters: { name: "Ada" },
    parameter_openapi_schema: SCHEMA,
    enforce_parameter_schema: true,
    job_variables: { env: { WORD: "hello" } },
    pull_steps: [{ "prefect.deployments.steps.set_working_directory": { directory: "/code" } }],
    concurrency_limit: 4,
    concurrency_options: { collision_strategy: "ENQUEUE" },
    schedules: [
      { schedule: { cron: "0 7 * * *", timezone: "Europe/Berlin" }, slug: "morning" },
      { schedule: { interval: 86_400 }, parameters: { name: "Grace" }, active: true },
      { schedule: { rrule: "FREQ=WEEKLY;BYDAY=MO" }, active: false },
    ],
  };
  const deployment = (await api.post("/deployments/", body)).id;
  await api.post("/deployments/", { name: "paused", flow_id: flow, paused: true, entrypoint: "flows.py:hello" });
  return { flow, deployment };
}

async function flowRuns(api, flow, deployment, pool) {
  const runs = {};
  for (const [at, [name, type]] of Object.entries(STATES).entries()) {
    const run = await api.post("/flow_runs/", {
      name: `run-${name.toLowerCase()}`,
      flow_id: flow,
      deployment_id: at % 2 ? deployment : undefined,
      work_pool_name: at % 2 ? pool.name : undefined,
      work_queue_name: at % 2 ? pool.queue : undefined,
      parameters: { name: "Ada", number: at, nested: { list: [1, 2] } },
      job_variables: { env: { WORD: "hello" } },
      tags: ["greeting", name.toLowerCase()],
      // The pages' time ends with the last whole minute.
      state: { type: "SCHEDULED", state_details: { scheduled_time: ago(30) } },
    });
    if (type !== "SCHEDULED" && type !== "PENDING") await setState(api, "flow_runs", run.id, "RUNNING", "Running");
    const keyset = { description: "description", response: "answer-response", schema: "answer-schema" };
    const waits = name === "Paused";
    const details =
      type === "SCHEDULED" ? { scheduled_time: ago(name === "Late" ? 10 : -60) } :
      type === "PAUSED" ? { pause_timeout: ago(-600), pause_reschedule: !waits, run_input_keyset: waits ? keyset : undefined } : {};
    await setState(api, "flow_runs", run.id, type, name, details);
    if (waits) {
      const input = (key, value) => api.post(`/flow_runs/${run.id}/input`, { key, value: JSON.stringify(value) });
      await input(keyset.schema, { title: "Answer", type: "object", properties: { yes: { type: "boolean", title: "Yes" } } });
      await input(keyset.description, "Shall it go **on**?");
    }
    runs[name.toLowerCase()] = run.id;
  }
  const child = (await api.post("/flows/", { name: "child" })).id;
  const parent = await api.post("/task_runs/", {
    name: "child-0", flow_run_id: runs.completed, task_key: "child", dynamic_key: "0", state: { type: "COMPLETED" },
  });
  const nested = await api.post("/flow_runs/", { name: "run-child", flow_id: child, parent_task_run_id: parent.id, state: { type: "PENDING" } });
  await setState(api, "flow_runs", nested.id, "RUNNING", "Running");
  await setState(api, "flow_runs", nested.id, "COMPLETED", "Completed");
  return { ...runs, child: nested.id };
}

const setState = (api, noun, id, type, name, details = {}) =>
  api.post(`/${noun}/${id}/set_state`, { state: { type, name, message: `now ${name}`, state_details: details }, force: true });

async function taskRuns(api, flowRun, child) {
  const ids = [];
  for (const [at, [name, type]] of Object.entries(STATES).entries()) {
    const input = (id) => [{ input_type: "task_run", id }];
    const run = await api.post("/task_runs/", {
      name: `task-${name.toLowerCase()}`,
      flow_run_id: flowRun,
      task_key: "say",
      dynamic_key: String(at),
      tags: ["database", name.toLowerCase()],
      cache_key: at === 0 ? "a key" : undefined,
      task_inputs: ids.length ? { what: input(ids[Math.floor(at / 3)]) } : { what: [{ input_type: "parameter", name: "name" }] },
      state: { type: "PENDING" },
    });
    if (type !== "SCHEDULED" && type !== "PENDING") await setState(api, "task_runs", run.id, "RUNNING", "Running");
    await setState(api, "task_runs", run.id, type, name);
    ids.push(run.id);
  }
  const inner = await api.post("/task_runs/", {
    name: "inner-0", flow_run_id: child, task_key: "inner", dynamic_key: "0", state: { type: "RUNNING" },
  });
  await setState(api, "task_runs", inner.id, "COMPLETED", "Completed");
  return { first: ids[Object.keys(STATES).indexOf("Completed")], inner: inner.id };
}

async function makeArtifacts(api, flow_run_id, task_run_id) {
  const of = { flow_run_id, task_run_id };
  const make = async (type, data, more = of) =>
    (await api.post("/artifacts/", { key: `a-${type}`, type, data, description: `What *${type}* shows`, ...more })).id;
  const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  return {
    markdown: await make("markdown", "# First\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```"),
    again: await make("markdown", "# Second\n\n```mermaid\ngraph TD; A-->B;\n```"),
    table: await make("table", JSON.stringify([{ name: "Ada", number: 1 }, { name: "Grace", number: 2 }])),
    progress: await make("progress", 40),
    image: await make("image", pixel),
    link: (await api.post("/artifacts/", { key: "a-link", type: "markdown", data: "[there](/settings)", ...of })).id,
    ofFlowRun: await make("result", { a: 1 }, { flow_run_id, key: "of-the-run" }),
  };
}

function logs(flow_run_id, task_run_id) {
  const line = (at) => ({
    name: at % 3 ? "prefect.flow_runs" : "prefect.task_runs",
    level: [10, 20, 30, 40, 50][at % 5],
    message: at === 7 ? "line 7\nof several\nlines" : `line ${at}`,
    timestamp: new Date(Date.now() - 10_000 + at).toISOString(),
    flow_run_id,
    task_run_id: at % 3 ? null : task_run_id,
  });
  return Array.from({ length: 250 }, (_, at) => line(at));
}

async function makeAutomations(api, deployment, pool, slack) {
  const event = (more) => ({ type: "event", posture: "Reactive", expect: ["prefect.flow-run.Failed"], threshold: 1, within: 0, ...more });
  const ofRuns = { match: { "prefect.resource.id": "prefect.flow-run.*" }, for_each: ["prefect.resource.id"] };
  const make = async (name, trigger, actions, enabled = true) =>
    (await api.post("/automations/", { name, description: `about ${name}`, enabled, tags: ["watch"], trigger, actions })).id;
  const other = event({ expect: ["nothing.of.this.kind"] });
  return {
    event: await make("on failure", event({ ...ofRuns, match_related: { "prefect.resource.name": "nobody" } }), [
      { type: "cancel-flow-run" },
      { type: "send-notification", block_document_id: slack, subject: "{{ flow_run.name }}", body: "failed" },
    ]),
    compound: await make("both", { type: "compound", require: "all", within: 60, triggers: [other, other] }, [
      { type: "run-deployment", source: "selected", deployment_id: deployment, parameters: { name: "{{ event.id }}" } },
      { type: "do-nothing" },
    ]),
    sequence: await make("one by one", { type: "sequence", within: 60, triggers: [other, other] }, [
      { type: "change-flow-run-state", state: "FAILED", name: "Failed", message: "no" },
    ], false),
    proactive: await make("silence", event({ posture: "Proactive", expect: ["never"], after: ["never.began"], within: 3600 }), [
      { type: "pause-deployment", source: "selected", deployment_id: deployment },
      { type: "pause-work-pool", source: "selected", work_pool_id: (await api.get(`/work_pools/${pool.name}`)).id },
    ]),
  };
}

async function makeLimits(api, holder) {
  const tag = (await api.post("/concurrency_limits/", { tag: "database", concurrency_limit: 3 })).id;
  const body = { name: "machine", limit: 5, slot_decay_per_second: 0.5, active: true };
  const named = (await api.post("/v2/concurrency_limits/", body)).id;
  await api.post("/v2/concurrency_limits/", { name: "off", limit: 1, active: false });
  await api.post("/v2/concurrency_limits/increment", { names: ["machine"], slots: 2, mode: "concurrency" });
  await api.post("/concurrency_limits/increment", { names: ["database"], task_run_id: holder });
  return { tag, named };
}

async function events(api, flowRun, deployment) {
  const ids = Array.from({ length: 60 }, () => randomUUID());
  await api.post("/events", ids.map((id, at) => ({
    id,
    event: at % 2 ? "weather.changed" : "door.opened",
    occurred: ago(at),
    resource: { "prefect.resource.id": `house.${at % 3}`, "prefect.resource.name": `house ${at % 3}` },
    related: [
      { "prefect.resource.id": `prefect.flow-run.${flowRun}`, "prefect.resource.role": "flow-run", "prefect.resource.name": "run-completed" },
      { "prefect.resource.id": `prefect.deployment.${deployment}`, "prefect.resource.role": "deployment" },
    ],
    payload: { temperature: at },
  })));
  return { id: ids[0], date: ago(0).slice(0, 10) };
}
