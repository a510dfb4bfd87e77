// Watches one browser page: what it says on its console, which requests fail, and whether it has come to rest. Requests that lead
// elsewhere than to our server are not let through; they are listed.

import { until } from "./waiting.js";

// A page that has asked for nothing this long, and has what it asked for, shows what it has.
const REST = 400;

export class Watch {
  constructor(page, origin) {
    this.page = page;
    this.origin = origin;
    this.problems = [];
    this.underway = new Set();
    this.last = Date.now();
    page.on("console", (message) => this.said(message));
    page.on("pageerror", (error) => this.problems.push(`error in the page: ${error.message}`));
    page.on("request", (request) => this.began(request));
    page.on("requestfinished", (request) => this.ended(request));
    page.on("requestfailed", (request) => this.failed(request));
    page.on("response", (response) => this.answered(response));
    page.on("websocket", (socket) => socket.on("socketerror", (error) => this.problems.push(`socket ${socket.url()}: ${error}`)));
  }

  isOurs(url) {
    return !/^(https?|wss?):/.test(url) || new URL(url).host === new URL(this.origin).host;
  }

  said(message) {
    const at = message.location().url;
    // The browser's own word on a request that failed, which is counted as what it is.
    if (message.text().startsWith("Failed to load resource")) return;
    if (message.type() === "error" && this.isOurs(at)) this.problems.push(`console: ${message.text()} (${at})`);
  }

  began(request) {
    this.underway.add(request);
    this.last = Date.now();
  }

  ended(request) {
    this.underway.delete(request);
    this.last = Date.now();
  }

  failed(request) {
    this.ended(request);
    // What the page gives up itself, as when it goes elsewhere, did not fail.
    const reason = request.failure()?.errorText;
    if (this.isOurs(request.url()) && reason !== "net::ERR_ABORTED") {
      this.problems.push(`${request.method()} ${request.url()}: ${reason}`);
    }
  }

  answered(response) {
    if (response.status() < 400 || !this.isOurs(response.url())) return;
    const body = response.request().postData() ?? "";
    this.problems.push(`${response.request().method()} ${response.url()}: ${response.status()} ${body.slice(0, 400)}`);
  }

  /** Waits until nothing is asked for any more. */
  async settles() {
    await until(`${this.page.url()} rests`, () => !this.underway.size && Date.now() - this.last > REST);
  }
}

/** Blocks and notes whatever would leave this machine. */
export async function keepInside(context, origin, outside) {
  await context.route(
    (url) => /^https?:$/.test(url.protocol) && url.origin !== origin,
    (route) => {
      outside.add(`${route.request().method()} ${route.request().url().split("?")[0]}`);
      return route.abort();
    },
  );
}
