// The front end of lab 10.1 in a real browser, by the way that its users take: the mapped port, the
// controller, the Services. scripts/browser-test runs it; it says what each variable is for.
//
// It adds one entry, which stays: `labctl reset` puts the database back.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { Cluster } from "./cluster.mjs";
import { GuestBook } from "./guest-book.mjs";

const setting = (name, fallback) => {
  const value = process.env[name] || fallback;
  if (value === undefined) throw new Error(`${name} is not set: run scripts/browser-test`);
  return value;
};
const url = setting("URL");
const chromium = setting("CHROMIUM", "chromium");
const picture = setting("PICTURE", "");
const failurePicture = setting("FAILURE_PICTURE", "");
const cluster = new Cluster(setting("KUBECTL", "kubectl"), setting("NAMESPACE", "shop"));

// The page's two sentences for an API without pods: with the controller's answer, and with that of the
// front end's own web server, for those whose requests for /api/ pass it.
const NOBODY_ANSWERS = [
  "Something on the way to the API says that it cannot be reached.",
  "The web server is there, but the API behind it does not answer.",
];

/** What an interruption has to do before it ends the test. */
let scaleBack = async () => {};

async function step(title, action) {
  const begun = performance.now();
  try {
    await action();
  } catch (error) {
    error.step = title;
    throw error;
  }
  console.error(`  ✓ ${title}  ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

async function use(book) {
  const text = `Hello from outside the cluster (${randomBytes(3).toString("hex")})`;
  let author;

  await step("the page comes from a pod of the front end", async () => {
    await book.open(url);
    assert.equal(await book.title(), "Guest book");
    const pods = await cluster.pods("web");
    assert.ok(pods.includes(await book.webPod()), `"Page from" names one of ${pods}, not ${await book.webPod()}`);
  });
  await step("an entry is added, and listed with the pod that took it", async () => {
    author = await book.add(text);
    const pods = await cluster.pods("api");
    assert.ok(pods.includes(author), `"Added by" names one of ${pods}, not ${author}`);
    assert.equal(await book.listed(text), author);
    assert.equal(await book.problem(), null);
    if (picture) await book.shoot(picture);
  });

  const replicas = await cluster.replicas("api");
  assert.ok(replicas > 0, "the API has pods to begin with");
  scaleBack = () => cluster.scale("api", replicas);
  try {
    await step("without API pods, the page says so in plain words", async () => {
      await cluster.scale("api", 0);
      await book.waitForProblem(NOBODY_ANSWERS);
    });
    await step("what cannot be added is not lost, and the page says why", async () => {
      const said = await book.fail("An entry that nobody takes");
      assert.ok(
        NOBODY_ANSWERS.some((sentence) => said.startsWith(`Not added. ${sentence}`)),
        `beside the form it says why, not: ${said}`,
      );
      assert.equal(await book.typed(), "An entry that nobody takes");
    });
  } finally {
    await scaleBack();
  }

  await step("with API pods again, the entry is still there", async () => {
    await cluster.ready("api");
    await book.waitForNoProblem();
    assert.equal(await book.listed(text), author);
    await book.open(url);
    assert.equal(await book.listed(text), author, "after the page was loaded anew");
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => scaleBack().finally(() => process.exit(130)));
}
const book = await GuestBook.launch(chromium);
try {
  await use(book);
} catch (error) {
  console.error(`  ✗ ${error.step ?? "the test itself"}\n    ${error.message.replaceAll("\n", "\n    ")}`);
  console.error(`    the page shows: ${await book.describe()}`);
  if (failurePicture) {
    const saved = await book.shoot(failurePicture).then(() => true, () => false);
    if (saved) console.error(`    a picture of it: ${failurePicture}`);
  }
  process.exitCode = 1;
} finally {
  await book.close();
}
