// The guest book's page, in a browser without a window. Nothing here sleeps: it waits for what is shown.

import puppeteer from "puppeteer-core";

// A pod that ends answers for some seconds yet, and the page asks every five.
const PATIENCE = 60_000;

export class GuestBook {
  static async launch(executablePath) {
    const browser = await puppeteer.launch({
      executablePath,
      // The test answers for signals: there is more to put back than the browser.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      args: [
        // Nothing but this machine is talked to, whatever a proxy or the browser itself would like.
        "--no-proxy-server",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost",
        // A container's /dev/shm may be too small.
        "--disable-dev-shm-usage",
        // The browser's own sandbox needs a user other than root.
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      ],
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.setViewport({ width: 760, height: 560 });
    return new GuestBook(browser, page);
  }

  constructor(browser, page) {
    this.browser = browser;
    this.page = page;
  }

  /** Until the pods that answered are shown. */
  async open(url) {
    const answer = await this.page.goto(url, { waitUntil: "load" });
    // Seen before and not changed since is as good.
    if (!answer.ok() && answer.status() !== 304) throw new Error(`${url} answers with ${answer.status()}: ${(await answer.text()).slice(0, 200)}`);
    await this.#wait(
      () => ["web-pod", "api-pod"].every((id) => document.getElementById(id).textContent !== "…"),
      "the page to name the pods that answered",
    );
  }

  title() {
    return this.page.title();
  }

  webPod() {
    return this.#text("#web-pod");
  }

  /** Adds an entry as a person would; gives the pod that the page says took it. */
  async add(text) {
    const said = await this.#submit(text);
    const added = /^Added by (\S+)\.$/.exec(said);
    if (!added) throw new Error(`the entry was not added; beside the form it says: ${said}`);
    return added[1];
  }

  /** Tries to add an entry, and gives what the page says about it. */
  fail(text) {
    return this.#submit(text);
  }

  typed() {
    return this.page.$eval("#text", (input) => input.value);
  }

  async #submit(text) {
    await this.page.$eval("#text", (input) => (input.value = ""));
    await this.page.type("#text", text);
    await this.page.click("#add");
    await this.#wait(
      () => document.querySelector("#done").textContent !== "" && !document.querySelector("#add").disabled,
      "an answer beside the form",
    );
    return this.#text("#done");
  }

  /** The pod that the list of entries says this one was written by. */
  async listed(text) {
    const item = await this.#wait(
      (wanted) => [...document.querySelectorAll("#entries li")].find((li) => li.querySelector("p").textContent === wanted),
      `the entry "${text}" to be listed`,
      text,
    );
    return item.evaluate((li) => li.querySelector(".by").textContent);
  }

  /** What the page says is wrong, or null. */
  problem() {
    return this.page.$eval("#problem", (box) => (box.hidden ? null : box.querySelector("#problem-text").textContent));
  }

  waitForProblem(sentences) {
    return this.#wait(
      (wanted) => {
        const box = document.querySelector("#problem");
        return box.checkVisibility() && wanted.includes(box.querySelector("#problem-text").textContent);
      },
      `one of: ${sentences.join(" / ")}`,
      sentences,
    );
  }

  waitForNoProblem() {
    return this.#wait(() => document.querySelector("#problem").hidden, "the page to say no more that something is wrong");
  }

  async shoot(path) {
    await this.page.screenshot({ path, type: "png" });
  }

  /** For whoever has to find out why a test failed. */
  async describe() {
    const shown = await this.page.$eval("body", (body) => body.innerText).catch((error) => `nothing (${error.message})`);
    return `${this.page.url()}: ${shown.replaceAll(/\s+/g, " ").slice(0, 600)}`;
  }

  close() {
    return this.browser.close();
  }

  #text(selector) {
    return this.page.$eval(selector, (element) => element.textContent);
  }

  async #wait(condition, what, ...args) {
    try {
      return await this.page.waitForFunction(condition, {}, ...args);
    } catch (error) {
      throw new Error(`waited for ${what}: ${error.message}`, { cause: error });
    }
  }
}
