// Every page of both generations: its address, and a text that is there once it shows what it is for.

/** The states whose pages look different. */
const SHOWN = ["scheduled", "running", "paused", "completed", "crashed", "child"];

// Ids are others each time; names of checks are not.
const IDS = /[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d/g;

/** `tabs`: each tab of the page is opened, too. Both generations have the same addresses. */
export function pages({ flow, deployment, pool, blocks, runs, tasks, artifacts, automations, limits, event }) {
  const work = `/work-pools/work-pool/${pool.name}`;
  const queue = `${work}/queue/${pool.queue}`;
  const page = (path, text, { label = text, ...more } = {}) => ({ path, text, name: `${path.replace(IDS, "…")} (${label})`, ...more });
  return [
    page("/", "hello"),
    page("/dashboard", "hello", { tabs: true }),
    page("/runs", "run-failed", { tabs: true }),
    ...SHOWN.map((name) => page(`/runs/flow-run/${runs[name]}`, `run-${name}`, { tabs: name === "completed" || name === "child" })),
    page(`/flow-runs/flow-run/${runs.failed}`, "run-failed"),
    page(`/runs/task-run/${tasks.first}`, "task-completed", { tabs: true }),
    page(`/runs/task-run/${tasks.inner}`, "inner-0"),
    page("/flows", "hello"),
    page(`/flows/flow/${flow}`, "hello", { tabs: true }),
    page("/deployments", "daily"),
    page(`/deployments/deployment/${deployment}`, "daily", { tabs: true }),
    page(`/deployments/deployment/${deployment}/run`, "Start"),
    page(`/deployments/deployment/${deployment}/edit`, "Save"),
    page(`/deployments/deployment/${deployment}/duplicate`, "Save"),
    page("/work-pools", pool.name),
    page("/work-pools/create", "Kubernetes"),
    page(work, "process", { tabs: true }),
    page(`${work}/edit`, "Save", { tabs: true }),
    page(`${work}/queue/create`, "Create"),
    page(queue, pool.queue, { tabs: true }),
    page(`${queue}/edit`, "Save"),
    page("/blocks", "door"),
    page("/blocks/catalog", "Slack Webhook"),
    page("/blocks/catalog/slack-webhook", "Slack Webhook"),
    page("/blocks/catalog/slack-webhook/create", "Create"),
    page(`/blocks/block/${blocks.secret}`, "door"),
    page(`/blocks/block/${blocks.webhook}`, "bell"),
    page(`/blocks/block/${blocks.secret}/edit`, "Save"),
    page("/variables", "answer"),
    page("/automations", "on failure"),
    ...Object.entries(automations).flatMap(([label, id]) => [
      page(`/automations/automation/${id}`, "Action", { label }),
      page(`/automations/automation/${id}/edit`, "Trigger", { label }),
    ]),
    page("/automations/create", "Trigger"),
    page("/events", "Door opened"),
    page(`/events/event/${event.date}/${event.id}`, "Door opened", { tabs: true }),
    page("/concurrency-limits", "machine", { tabs: true }),
    page(`/concurrency-limits/concurrency-limit/${limits.tag}`, "database", { tabs: true }),
    page("/artifacts", "a-table"),
    page("/artifacts/key/a-markdown", "a-markdown"),
    ...Object.entries(artifacts).map(([label, id]) => page(`/artifacts/artifact/${id}`, "Created", { label, tabs: true })),
    page("/settings", "Theme"),
    // Nobody needs to log in: the second generation goes on to where everybody begins.
    page("/login", /Login|hello/, { label: "login" }),
  ];
}
