// The studio in a browser: the whole story by mouse and by keyboard, every page narrow and wide, light and dark.
//
//   node studio.mjs BRICKWORK PICTURES
//
// Fails where something does not work, axe-core finds a violation, a page is wider than the window, or a console says
// something. Puts a picture of every page into the folder PICTURES. CHROMIUM names the browser.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [given, pictures] = process.argv.slice(2);
if (!pictures) throw new Error("usage: node studio.mjs BRICKWORK PICTURES");
const brickwork = resolve(given);
mkdirSync(pictures, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "studio-"));
const problems = [];

// Starts the studio, and gives its address and what ends it.
async function start(port = 0) {
  const child = spawn(brickwork, ["studio", folder, "--box", join(folder, ".mine"), "--no-open", "--port", `${port}`, "--json"]);
  let said = "";
  child.stderr.on("data", (text) => process.stderr.write(text));
  const address = await new Promise((done, failed) => {
    child.on("exit", (code) => failed(new Error(`the studio ended with ${code}`)));
    child.stdout.on("data", (text) => {
      said += text;
      if (said.endsWith("}\n")) done(JSON.parse(said).address);
    });
  });
  const end = (signal) =>
    new Promise((done) => {
      child.removeAllListeners("exit");
      child.on("exit", done);
      child.kill(signal);
    });
  return { address, end };
}

let studio = await start();
const origin = new URL(studio.address).origin;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

// Whatever the page says of itself is a problem.
function listen(page) {
  const where = () => page.url().replace(origin, "");
  page.on("console", (line) => {
    if (["error", "warning"].includes(line.type())) problems.push(`${where()}: console: ${line.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`${where()}: error: ${error.message}`));
  page.on("request", (request) => {
    const asked = request.url();
    if (!asked.startsWith(origin) && !asked.startsWith("data:") && !asked.startsWith("blob:"))
      problems.push(`${where()}: asks for ${asked}`);
  });
  return page;
}

const context = await browser.newContext({ viewport: { width: 1280, height: 844 } });
const page = listen(await context.newPage());
const go = (path) => page.goto(origin + path);
const over = () => page.locator(".state.done, .state.failed").waitFor({ timeout: 600_000 });

// Without the token nobody comes in.
assert.equal((await page.request.get(origin)).status(), 403);
await page.goto(studio.address);
assert.equal(await page.locator(".held").count(), 2, "the two models of the demo are in the box");

// By mouse: two components, one dragged onto the plate.
async function cut(model, classes, name) {
  await go(`/apart?model=${model}.onnx`);
  for (const one of classes) await page.getByRole("checkbox", { name: one, exact: true }).check();
  await page.getByLabel("Name of the new brick").fill(name);
  await page.getByRole("button", { name: "Cut" }).click();
  await over();
  assert.equal(await page.locator(".made .name").innerText(), name);
}
await cut("digits", ["0", "1", "2", "3", "4"], "low");
await cut("garments", ["sandal", "sneaker", "ankle-boot"], "shoes");
await go("/plate");
await page.locator("[data-file='low.onnx']").dragTo(page.locator(".baseplate"));
await page.locator(".baseplate [data-file='low.onnx']").waitFor();

// By keyboard: the other onto the plate, before the first, off and on again.
async function press(name) {
  await page.getByRole("button", { name }).focus();
  await page.keyboard.press("Enter");
}
const lying = () => page.locator(".baseplate .held").evaluateAll((all) => all.map((one) => one.dataset.file));
const until = async (files) => {
  for (let k = 0; k < 100 && `${await lying()}` !== `${files}`; k++) await page.waitForTimeout(50);
  assert.deepEqual(await lying(), files);
};
await press("Put on shoes");
await until(["low.onnx", "shoes.onnx"]);
await press("Earlier shoes");
await until(["shoes.onnx", "low.onnx"]);
await press("Take off shoes");
await until(["low.onnx"]);
await press("Put on shoes");
await until(["low.onnx", "shoes.onnx"]);

// Classes that two bricks have are shown, and must be settled.
await press("Put on digits");
await page.getByText("Several bricks have the same classes").waitFor();
assert.equal(await page.locator(".warned li").count(), 5);
await press("Take off digits");
await until(["low.onnx", "shoes.onnx"]);
await page.getByLabel("Name of the new classifier").focus();
await page.keyboard.type("everything");
await page.keyboard.press("Enter");
await over();
const right = await page.locator(".steps li").last().locator("dd").first().innerText();
assert.ok(parseFloat(right) > 90, `joined and calibrated it is right on ${right}`);

// A picture is tried, and it says which part answered.
await go("/try?model=everything.onnx");
await page.getByRole("button", { name: "Try a picture of 2" }).click();
await page.locator(".said .first").waitFor();
assert.match(await page.locator(".said .first").innerText(), /answered by low/);
await page.locator(".drop input[type=file]").setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
await page.getByRole("button", { name: "What is this?" }).click();
await page.locator(".said .error").waitFor();

// A report is made, and is a page of its own.
await go("/look?model=everything.onnx");
await page.getByRole("button", { name: "Measure it and make a report" }).click();
await over();
const report = await context.newPage();
await report.goto(`${origin}/report?model=everything.onnx`);
assert.match(await report.locator("h1").innerText(), /everything/);
await report.close();

// What cannot be done is said, and a hostile file is refused.
await go("/");
await page.locator("input[name=model]").setInputFiles({ name: "../../evil.onnx", mimeType: "application/octet-stream", buffer: Buffer.from([1, 2, 3]) });
problems.length = 0;
await page.getByRole("button", { name: "Send" }).click();
await page.getByRole("alert").waitFor();
assert.ok(problems.every((problem) => problem.includes("422")), problems.join("\n"));
problems.length = 0;

// A job that is killed with the studio is interrupted, and can go on.
await go("/apart?model=garments.onnx");
for (const one of ["trouser", "dress"]) await page.getByRole("checkbox", { name: one, exact: true }).check();
await page.getByLabel("Name of the new brick").fill("clothes");
await page.getByRole("button", { name: "Cut" }).click();
const job = new URL(page.url()).pathname;
await page.locator("li[aria-current=step] progress").waitFor();
await page.goto("about:blank");
const port = new URL(origin).port;
await studio.end("SIGKILL");
studio = await start(port);
await go(job);
assert.equal(await page.locator(".state").first().innerText(), "interrupted");
await page.getByRole("button", { name: "Go on" }).click();
await page.getByRole("button", { name: "Stop" }).click();
await page.locator(".state.stopped").waitFor({ timeout: 120_000 });
await page.getByRole("button", { name: "Go on" }).click();
await over();

// Every size is looked at, and one is picked.
await go("/apart?model=digits.onnx");
for (const one of ["7", "9"]) await page.getByRole("checkbox", { name: one, exact: true }).check();
await page.locator("input[value=frontier]").check();
await page.getByRole("button", { name: "Cut" }).click();
await over();
const walk = new URL(page.url()).pathname;
assert.ok((await page.locator("figure.chart circle").count()) > 3, "the curve has points");
await page.locator("input[name=place]").nth(2).check();
await page.getByLabel("Name of the new brick").fill("picked");
await page.getByRole("button", { name: "Cut this one" }).click();
await over();
assert.equal(await page.locator(".made .name").innerText(), "picked");

// The recipe makes the same files.
const recipe = await page.request.get(`${origin}/recipe.toml`);
writeFileSync(join(folder, "recipe.toml"), await recipe.text());
execFileSync(brickwork, ["build", "recipe.toml", "--out", "again", "--quiet"], { cwd: folder, stdio: "pipe" });
for (const name of ["low", "shoes", "everything", "clothes", "picked"])
  assert.ok(
    readFileSync(join(folder, `${name}.onnx`)).equals(readFileSync(join(folder, "again", `${name}.onnx`))),
    `${name}.onnx is the same`,
  );
rmSync(join(folder, "again"), { recursive: true });

// Every page in every look.
const pages = ["/", "/apart?model=garments.onnx", "/plate", "/try?model=everything.onnx", "/look?model=everything.onnx",
  "/look?model=shoes.onnx", "/diff?a=garments.onnx&b=shoes.onnx", "/jobs", "/jobs/2", "/jobs/3", walk, "/recipe", "/nowhere"];
for (const width of [390, 1280]) {
  for (const look of ["light", "dark"]) {
    const own = await browser.newContext({
      bypassCSP: true, colorScheme: look, reducedMotion: "reduce", viewport: { width, height: 844 },
      storageState: await context.storageState(),
    });
    for (const path of pages) {
      const where = `${path} at ${width}, ${look}`;
      const shown = await own.newPage();
      await shown.goto(origin + path);
      const wide = await shown.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) problems.push(`${where}: ${wide} pixels wide`);
      const name = path.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "box";
      await shown.screenshot({ path: join(pictures, `studio-${name}-${width}-${look}.png`), fullPage: true });
      await shown.evaluate(axe);
      const found = await shown.evaluate(() => axe.run(document));
      for (const { id, help, nodes } of found.violations) {
        const targets = nodes.slice(0, 4).map((node) => node.target.join(" ")).join(", ");
        problems.push(`${where}: ${id}: ${help} (${nodes.length}: ${targets})`);
      }
      await shown.close();
    }
    await own.close();
  }
}

await browser.close();
await studio.end("SIGINT");
rmSync(folder, { recursive: true });
for (const problem of problems) console.error(problem);
console.log(`the studio, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
