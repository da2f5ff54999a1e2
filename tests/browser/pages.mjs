// Opens HTML files in a browser, narrow and wide, light and dark. Fails where axe-core finds a violation, a page
// is wider than the window, says something on its console, or asks for anything but itself.
//
//   node pages.mjs PICTURES PAGE.html...
//
// Puts a picture of every page in every look into the folder PICTURES. CHROMIUM names the browser.

import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [pictures, ...pages] = process.argv.slice(2);
if (!pages.length) throw new Error("usage: node pages.mjs PICTURES PAGE.html...");
mkdirSync(pictures, { recursive: true });

const problems = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
for (const path of pages) {
  const name = basename(path, ".html");
  for (const width of [390, 1280]) {
    for (const look of ["light", "dark"]) {
      const where = `${name} at ${width}, ${look}`;
      // The page's own policy lets nothing run in it, not even the checks.
      const context = await browser.newContext({
        bypassCSP: true,
        colorScheme: look,
        viewport: { width, height: 844 },
      });
      const page = await context.newPage();
      const url = pathToFileURL(resolve(path)).href;
      page.on("console", (line) => problems.push(`${where}: console: ${line.text()}`));
      page.on("pageerror", (error) => problems.push(`${where}: error: ${error.message}`));
      page.on("request", (request) => {
        const asked = request.url();
        if (asked !== url && !asked.startsWith("data:")) problems.push(`${where}: asks for ${asked}`);
      });
      await page.goto(url);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) problems.push(`${where}: ${wide} pixels wide`);
      await page.screenshot({ path: join(pictures, `${name}-${width}-${look}.png`), fullPage: true });
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run(document));
      for (const { id, help, nodes } of found.violations) {
        const targets = nodes.slice(0, 4).map((node) => node.target.join(" ")).join(", ");
        problems.push(`${where}: ${id}: ${help} (${nodes.length}: ${targets})`);
      }
      await context.close();
    }
  }
}
await browser.close();
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
