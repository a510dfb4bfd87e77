// What the reference answers its own pages with, too: exact problems, each with the reason. Nothing else is let pass.

const KNOWN = [
  {
    matches: /\/(ico\/undefined|(ico\/)?paused|(ico\/)?cancelling)\.svg: 404/,
    reason: "both ask for icons that no bundle has: of a run that is not there yet, and of two states (404 there, too)",
  },
  {
    matches: /POST \S+\/task_runs\/filter: 422 \{"task_runs":\{"operator":"and_","id":\{"any_":\[""\]\}\}/,
    reason: "v2 looks for the task run without an id where an artifact has none (422 there, too)",
  },
];

/** The reason why a problem is no fault of the server's, if there is one. */
export function isKnown(problem) {
  return KNOWN.find(({ matches }) => matches.test(problem))?.reason;
}
