// The page: a review and its answer while it is typed, a file and its answers.
"use strict";

const MILLISECONDS_AT_ONCE = 30; // of work, then the page answers keys and clicks again
const MOST_WORDS = 400; // that are shown
const LEVELS = 3; // of colour

const $ = (id) => document.getElementById(id);

async function start() {
  const content = JSON.parse($("content").textContent);
  const wanted = content.language ?? navigator.language ?? "en";
  const language = wanted.toLowerCase().startsWith("ko") ? "ko" : "en";
  const texts = nsmc.TEXTS[language];
  const name = (label) => nsmc.labelName(language, label);
  label(texts, name, language, content);
  let classifier = null;
  let problem = "";
  try {
    classifier = await nsmc.Classifier.load(content);
    problem = classifier.problem();
  } catch (error) {
    problem = error.message; // of a browser that is too old, or a damaged file
  }
  if (problem) {
    $("problem").textContent = texts.broken(problem);
    $("problem").hidden = false;
  }
  if (classifier) listen({ texts, classifier, name, threshold: content.unsure_below ?? 0, asked: 0, runs: 0 });
  document.body.dataset.state = problem ? "broken" : "ready"; // for tests
}

/**
 * What a generator returns, or null where `isStale` says that nobody waits for it any more. It pauses
 * every few milliseconds, so that the page does not freeze, whatever the length of a review.
 */
async function inSlices(generator, isStale) {
  let pause = performance.now() + MILLISECONDS_AT_ONCE;
  for (;;) {
    const { done, value } = generator.next();
    if (done) return value;
    if (performance.now() < pause) continue;
    await new Promise((resolve) => setTimeout(resolve));
    if (isStale()) return null;
    pause = performance.now() + MILLISECONDS_AT_ONCE;
  }
}

/** Write what the page says in the reader's language. */
function label(texts, name, language, content) {
  const { labels } = content.config;
  document.documentElement.lang = language;
  const names = labels.slice(0, 4).map(name);
  if (labels.length > names.length) names.push("…");
  document.title = document.querySelector("h1").textContent = names.join(" · ");
  $("about").textContent = texts.about(names.join(", "));
  document.querySelector("#one-title label").textContent = texts.review;
  $("review").placeholder = texts.placeholder;
  document.querySelector(".threshold label").textContent = texts.threshold;
  $("many-title").textContent = texts.many;
  $("many-note").textContent = texts.manyNote;
  $("file-label").textContent = texts.choose;
  $("lines").placeholder = texts.paste;
  $("lines").setAttribute("aria-label", texts.paste);
  $("column-label").textContent = texts.column;
  $("run").textContent = texts.run;
  $("download").textContent = texts.download;
  $("card-title").textContent = texts.card;
  $("card").append(...nsmc.elementsOf(content.card));
  $("progress").setAttribute("aria-label", texts.run);
}

function listen(page) {
  const threshold = $("threshold");
  threshold.value = page.threshold;
  const changed = () => {
    page.threshold = Number(threshold.value);
    $("threshold-value").textContent = page.threshold ? page.threshold.toFixed(2) : page.texts.never;
    showReview(page);
  };
  threshold.addEventListener("input", changed);
  changed();
  let waiting = 0;
  $("review").addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => showReview(page));
  });
  let table = { columns: [], rows: [] };
  const use = (found) => {
    table = found;
    const column = $("column");
    column.replaceChildren(...found.columns.map((title, index) => new Option(title, String(index))));
    column.value = String(nsmc.textColumn(found.columns, found.rows));
    column.hidden = $("column-label").hidden = !found.columns.length;
  };
  const read = async (file) => {
    if (!file) return;
    const run = ++page.runs; // whatever runs ends
    $("file-label").textContent = file.name;
    $("lines").value = "";
    const text = await file.arrayBuffer().then(nsmc.textOf, () => null); // a folder cannot be read
    if (run !== page.runs) return;
    use(text === null ? { columns: [], rows: [] } : nsmc.rowsOf(text, file.name));
    if (text === null) finish(page.texts.unreadable(file.name));
    else await classifyAll(page, table);
  };
  $("file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    await read(file);
    event.target.value = ""; // so that the same file can be chosen again
  });
  $("lines").addEventListener("input", () => {
    $("file-label").textContent = page.texts.choose;
    use({ columns: [], rows: [] });
  });
  $("run").addEventListener("click", () => {
    if ($("lines").value) use(nsmc.rowsOf($("lines").value, ""));
    classifyAll(page, table);
  });
  // Anywhere: a browser would leave the page for a file that is dropped beside the field.
  const over = (isOver) => (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    $("drop").classList.toggle("over", isOver);
    if (event.type === "drop") read(event.dataTransfer.files[0]);
  };
  for (const [type, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    document.addEventListener(type, over(isOver));
  }
}

/** Show the answer for the review that is typed, and how it formed. */
async function showReview(page) {
  const { texts, classifier, name, threshold } = page;
  const asked = ++page.asked;
  const text = $("review").value;
  const isEmpty = !text.trim();
  $("reading").hidden = true;
  $("labels").replaceChildren();
  $("words").replaceChildren();
  $("answer").textContent = isEmpty ? "" : "…";
  if (isEmpty) return;
  let found = null;
  try {
    found = await inSlices(classifier.reading(text), () => asked !== page.asked);
  } catch (error) {
    $("answer").textContent = texts.failed(error.message); // too long for the browser's patterns
  }
  if (!found) return;
  const percent = (probability) => `${(100 * probability).toFixed(1)} %`;
  const details = document.createElement("small");
  const doubt = found.probability < threshold ? ` · ${texts.unsure}` : "";
  details.textContent = percent(found.probability) + doubt;
  $("answer").replaceChildren(name(found.label), details);
  const shown = found.probabilities
    .map((probability, number) => ({ probability, number }))
    .sort((first, second) => second.probability - first.probability)
    .slice(0, 10);
  $("labels").replaceChildren(...shown.map(({ probability, number }) => bar(name(classifier.labels[number]), probability)));
  showReading(texts, classifier, name, found);
  $("reading").hidden = false;
}

function bar(title, probability) {
  const item = document.createElement("li");
  const [named, meter, number] = ["span", "meter", "span"].map((tag) => document.createElement(tag));
  named.textContent = title;
  meter.value = probability;
  meter.setAttribute("aria-label", title);
  number.textContent = `${(100 * probability).toFixed(1)} %`;
  item.append(named, meter, number);
  return item;
}

/** The curve of the answer's probability, and the words in the colour of the label after them. */
function showReading(texts, classifier, name, found) {
  const values = [found.start, ...found.words].map((answer) => answer.probabilities[found.number]);
  const points = values.map((value, at) => `${(100 * at) / Math.max(values.length - 1, 1)},${100 * (1 - value)}`);
  $("curve").querySelector("polyline").setAttribute("points", points.join(" "));
  const note = texts.curve(name(found.label));
  $("curve").setAttribute("aria-label", note);
  $("reading-note").textContent = found.isCut ? `${note} ${texts.cut(found.tokens)}` : note;
  const isBinary = classifier.labels.length === 2;
  $("words").replaceChildren(
    ...found.words.slice(0, MOST_WORDS).flatMap((word) => {
      const span = document.createElement("span");
      span.textContent = word.text;
      const least = 1 / classifier.labels.length;
      const level = Math.round((LEVELS * (word.probability - least)) / (1 - least));
      const side = isBinary ? word.number : Number(word.number === found.number);
      if (level) span.className = `s${side}-${level}`;
      span.title = `${name(word.label)} ${(100 * word.probability).toFixed(1)} %`;
      return [span, " "];
    }),
  );
}

/** Classify every row, a few at a time, and offer the answers. */
async function classifyAll(page, { columns, rows }) {
  const { texts, classifier, name, threshold } = page;
  const run = ++page.runs;
  if (!rows.length) return finish(texts.empty);
  const progress = $("progress");
  $("run").disabled = $("download").hidden = true;
  progress.hidden = false;
  progress.value = 0;
  const column = columns.length ? Number($("column").value) : 0;
  const started = performance.now();
  const answers = [];
  const answering = function* (text) {
    try {
      return text.trim() ? yield* classifier.classifying(text) : null;
    } catch {
      return null; // too long for the browser's patterns
    }
  };
  const classifying = function* () {
    for (const row of rows) {
      answers.push(yield* answering(row[column] ?? ""));
      progress.value = answers.length / rows.length;
      yield;
    }
    return answers;
  };
  if (!(await inSlices(classifying(), () => run !== page.runs))) return;
  const seconds = (performance.now() - started) / 1000;
  const isUnsure = (answer) => answer !== null && answer.probability < threshold;
  const counts = classifier.labels
    .map((title) => [title, answers.filter((answer) => answer?.label === title).length])
    .filter(([, count]) => count)
    .map(([title, count]) => `${name(title)} ${count.toLocaleString()}`);
  const lines = answers.map((answer, at) => [
    ...(answer ? [answer.label, answer.probability.toFixed(6), String(isUnsure(answer))] : ["", "", ""]),
    ...(columns.length ? columns.map((_, number) => rows[at][number] ?? "") : rows[at]),
  ]);
  const content = nsmc.tsvOf([["label", "probability", "unsure", ...(columns.length ? columns : ["document"])], ...lines]);
  finish(texts.done(answers.length, seconds, counts.join(", "), answers.filter(isUnsure).length), content);
}

/** Say how the many reviews went, and offer their answers, if there are any. */
function finish(status, content) {
  const download = $("download");
  $("many-answer").textContent = status;
  if (download.href) URL.revokeObjectURL(download.href);
  download.removeAttribute("href");
  if (content) download.href = URL.createObjectURL(new Blob([content], { type: "text/tab-separated-values" }));
  download.hidden = !content;
  $("progress").hidden = true;
  $("run").disabled = false;
}

if (typeof document !== "undefined") start();
