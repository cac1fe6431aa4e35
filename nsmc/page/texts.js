// What the page says, in the languages that it speaks.
"use strict";

const TEXTS = {
  en: {
    about: (labels) => `Tells ${labels} reviews apart. It computes on this device: nothing that you type leaves it.`,
    review: "A review",
    placeholder: "Type a review …",
    unsure: "unsure",
    curve: (label) => `The probability of “${label}” while the review is read, from left to right.`,
    cut: (tokens) => `Only the first ${tokens} tokens are read.`,
    failed: (why) => `This review cannot be read (${why}).`,
    threshold: "unsure below",
    never: "never",
    many: "Many reviews",
    manyNote: "Choose, drop or paste a text file with a review in each line, or a CSV or TSV file.",
    choose: "Choose a file",
    paste: "or paste reviews here, one in each line",
    column: "column",
    run: "Classify",
    empty: "There is no review yet.",
    unreadable: (file) => `${file} is no text: save it as CSV, TSV or plain text.`,
    done: (count, seconds, counts, unsure) =>
      `${count.toLocaleString("en")} reviews in ${seconds.toFixed(1)} s: ${counts}${unsure ? `; ${unsure.toLocaleString("en")} unsure` : ""}.`,
    download: "Download the answers",
    card: "About the classifier",
    broken: (why) => `This page does not compute what its classifier should (${why}). Do not trust its answers.`,
  },
  ko: {
    about: (labels) => `${labels} 리뷰를 구별합니다. 계산은 이 기기 안에서만 하고, 입력한 글은 어디로도 보내지 않습니다.`,
    review: "리뷰 한 편",
    placeholder: "리뷰를 입력하세요 …",
    unsure: "확실하지 않음",
    curve: (label) => `리뷰를 왼쪽부터 읽어 가는 동안의 ‘${label}’ 확률입니다.`,
    cut: (tokens) => `앞에서부터 ${tokens}개 토큰만 읽습니다.`,
    failed: (why) => `이 리뷰는 읽을 수 없습니다(${why}).`,
    threshold: "이보다 낮으면 확실하지 않음",
    never: "표시하지 않음",
    many: "여러 편 한꺼번에",
    manyNote: "한 줄에 한 편씩 적힌 텍스트 파일이나 CSV, TSV 파일을 고르거나 끌어다 놓거나 붙여 넣으세요.",
    choose: "파일 고르기",
    paste: "또는 여기에 한 줄에 한 편씩 붙여 넣으세요",
    column: "열",
    run: "분류하기",
    empty: "아직 리뷰가 없습니다.",
    unreadable: (file) => `${file}: 텍스트 파일이 아닙니다. CSV, TSV 또는 일반 텍스트로 저장해 주세요.`,
    done: (count, seconds, counts, unsure) =>
      `${count.toLocaleString("ko")}편, ${seconds.toFixed(1)}초: ${counts}${unsure ? `, 확실하지 않은 것 ${unsure.toLocaleString("ko")}편` : ""}.`,
    download: "답 내려받기",
    card: "분류기 소개",
    broken: (why) => `이 페이지의 계산이 분류기의 답과 다릅니다(${why}). 여기 나온 답을 믿지 마세요.`,
  },
};

// What the two labels of the packaged bundle are called; other labels are shown as they are.
const LABEL_NAMES = { ko: { positive: "긍정", negative: "부정" }, en: {} };

/** What a label is called in a language; own names alone, as every object has a "constructor". */
function labelName(language, label) {
  const names = LABEL_NAMES[language];
  return Object.hasOwn(names, label) ? names[label] : label;
}

globalThis.nsmc = { ...globalThis.nsmc, TEXTS, labelName };
