// Opens a page in Chromium as a reader does, and prints what it shows: {page, browser, texts, file, long} on
// standard input. Whatever the page asks the network for, or reports as an error, is printed, too.
import fs from "node:fs";
import { chromium } from "playwright-core";

const { page: path, browser: executablePath, texts, file, long, locale } = JSON.parse(fs.readFileSync(0, "utf8"));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ locale, acceptDownloads: true });
const page = await context.newPage();
const errors = [];
const requests = [];
page.on("console", (message) => errors.push(message.text()));
page.on("pageerror", (error) => errors.push(error.message));
page.on("request", (request) => requests.push(request.url().slice(0, 80)));
await page.goto(`file://${path}`);
await page.waitForFunction(() => document.body.dataset.state);
const shown = [];
for (const text of texts) {
  await page.fill("#review", text);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const [answer, words] = await page.evaluate(() => [
    document.getElementById("answer").textContent,
    [...document.querySelectorAll("#words span")].map((span) => span.textContent),
  ]);
  shown.push({ answer, words });
}
// A long review, and a short one that is typed before the long one is read.
const typed = await page.evaluate(async ({ long, short }) => {
  const [review, answer] = ["review", "answer"].map((id) => document.getElementById(id));
  const type = async (text) => {
    review.value = text;
    review.dispatchEvent(new Event("input"));
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
  };
  const ticks = async () => {
    let count = 0; // of what the page does while it reads
    for (; answer.textContent === "…"; count++) await new Promise((resolve) => setTimeout(resolve));
    return count;
  };
  if (!long) return null;
  await type(long);
  const [waited, first] = [await ticks(), answer.textContent];
  await type(long);
  await type(short);
  await ticks();
  return { waited, first, second: answer.textContent };
}, { long, short: texts[0] });
await page.setInputFiles("#file", file);
await page.waitForSelector("#download:not([hidden])", { timeout: 300_000 });
const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
const answers = fs.readFileSync(await download.path(), "utf8");
const state = await page.evaluate(() => ({
  state: document.body.dataset.state,
  language: document.documentElement.lang,
  status: document.getElementById("many-answer").textContent,
  // Each control has a name for who does not see it.
  unnamed: [...document.querySelectorAll("textarea, input, button, select, meter, progress")].filter(
    (control) => !(control.labels?.length || control.ariaLabel || control.textContent.trim()) && !control.hidden,
  ).length,
}));
await browser.close();
process.stdout.write(JSON.stringify({ ...state, shown, typed, answers, errors, requests }));
