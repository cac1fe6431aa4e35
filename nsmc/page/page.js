// The page: a review and its answer while it is typed, a file and its answers.
"use strict";

const MILLISECONDS_AT_ONCE = 50; // of work, then the page answers clicks again
const MOST_WORDS = 400; // that are shown
const LEVELS = 3; // of colour

const $ = (id) => document.getElementById(id);

function start() {
  const content = JSON.parse($("content").textContent);
  const wanted = content.language ?? (navigator.language ?? "en");
  const language = wanted.toLowerCase().startsWith("ko") ? "ko" : "en";
  const texts = nsmc.TEXTS[language];
  const classifier = new nsmc.Classifier(content);
  const name = (label) => nsmc.LABEL_NAMES[language][label] ?? label;
  label(texts, classifier, name, language, content);
  const page = { texts, classifier, name, threshold: content.unsure_below ?? 0 };
  const problem = classifier.problem();
  if (problem) {
    $("problem").textContent = texts.broken(problem);
    $("problem").hidden = false;
  }
  document.body.dataset.state = problem ? "broken" : "ready"; // for tests
  listen(page);
}

/** Write what the page says in the reader's language. */
function label(texts, classifier, name, language, content) {
  document.documentElement.lang = language;
  const names = classifier.labels.slice(0, 4).map(name);
  if (classifier.labels.length > names.length) names.push("…");
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
  $("card").textContent = content.card;
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
    use(nsmc.rowsOf(await file.text(), file.name));
    $("lines").value = "";
    $("file-label").textContent = file.name;
    await classifyAll(page, table);
  };
  $("file").addEventListener("change", (event) => read(event.target.files[0]));
  $("lines").addEventListener("input", () => use(nsmc.rowsOf($("lines").value, "")));
  $("run").addEventListener("click", () => classifyAll(page, table));
  const drop = $("drop");
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    read(event.dataTransfer.files[0]);
  });
}

/** Show the answer for the review that is typed, and how it formed. */
function showReview({ texts, classifier, name, threshold }) {
  const text = $("review").value;
  const isEmpty = !text.trim();
  $("reading").hidden = isEmpty;
  $("labels").replaceChildren();
  $("answer").replaceChildren();
  $("words").replaceChildren();
  if (isEmpty) return;
  const found = classifier.read(text);
  const percent = (probability) => `${(100 * probability).toFixed(1)} %`;
  const details = document.createElement("small");
  const doubt = found.probability < threshold ? ` · ${texts.unsure}` : "";
  details.textContent = percent(found.probability) + doubt;
  $("answer").append(name(found.label), details);
  const shown = found.probabilities
    .map((probability, number) => ({ probability, number }))
    .sort((first, second) => second.probability - first.probability)
    .slice(0, 10);
  $("labels").replaceChildren(...shown.map(({ probability, number }) => bar(name(classifier.labels[number]), probability)));
  showReading(texts, classifier, name, found);
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
  const isCut = found.tokens === classifier.config.max_length;
  $("reading-note").textContent = isCut ? `${note} ${texts.cut(found.tokens)}` : note;
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
async function classifyAll({ texts, classifier, name, threshold }, { columns, rows }) {
  const [status, progress, download] = [$("many-answer"), $("progress"), $("download")];
  download.hidden = true;
  if (!rows.length) {
    status.textContent = texts.empty;
    return;
  }
  $("run").disabled = true;
  progress.hidden = false;
  const column = columns.length ? Number($("column").value) : 0;
  const started = performance.now();
  const answers = [];
  let pause = started;
  for (const row of rows) {
    const text = row[column] ?? "";
    answers.push([text, text.trim() ? classifier.classify(text) : null]);
    if (performance.now() - pause > MILLISECONDS_AT_ONCE) {
      progress.value = answers.length / rows.length;
      await new Promise((resolve) => setTimeout(resolve));
      pause = performance.now();
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const isUnsure = (answer) => answer !== null && answer.probability < threshold;
  const counts = classifier.labels
    .map((title) => [title, answers.filter(([, answer]) => answer?.label === title).length])
    .filter(([, count]) => count)
    .map(([title, count]) => `${name(title)} ${count.toLocaleString()}`);
  const unsure = answers.filter(([, answer]) => isUnsure(answer)).length;
  status.textContent = texts.done(answers.length, seconds, counts.join(", "), unsure);
  const lines = answers.map(([text, answer]) =>
    answer ? [answer.label, answer.probability.toFixed(6), String(isUnsure(answer)), text] : ["", "", "", text],
  );
  const content = nsmc.tsvOf([["label", "probability", "unsure", "document"], ...lines]);
  if (download.href) URL.revokeObjectURL(download.href);
  download.href = URL.createObjectURL(new Blob([content], { type: "text/tab-separated-values" }));
  download.hidden = false;
  progress.hidden = true;
  $("run").disabled = false;
}

if (typeof document !== "undefined") start();
