// Results as one types. htmx asks and puts the answer in (templates/search/_question.html says when); here is what is
// worth asking, what the address is and the way back, what is said aloud, and how the keyboard moves.
(() => {
  const box = document.getElementById("q"), form = box.form;
  const answer = () => document.getElementById("answer");
  const here = () => location.pathname + location.search;
  const asked = () => box.value.trim();
  const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

  let composing = false; // an input method is still at it: what is in the box is no question yet
  let waiting = 0; // requests on their way
  let shown = here(); // what the answer on the page answers
  let settled = location.href; // the entry of the history that stands below what is typed
  let restoring = false; // the next request is for an address that the history went back to

  // --- what is asked ---

  box.addEventListener("compositionstart", () => { composing = true; });
  box.addEventListener("compositionend", () => {
    composing = false;
    box.dispatchEvent(new Event("input", {bubbles: true})); // browsers differ in whether one comes after this
  });

  const tooShort = () => [...asked()].length === 1 && !DENSE.test(asked());
  const isShown = () => asked() === answer().dataset.question && !waiting;

  document.addEventListener("htmx:confirm", (event) => {
    if (restoring) return;
    if (event.target === box && (composing || tooShort() || isShown())) event.preventDefault();
    if (event.target === form && (!asked() || isShown())) event.preventDefault();
    if (event.target === form && isShown()) {
      settle();
      putRight();
    }
  });

  document.addEventListener("htmx:configRequest", ({detail}) => {
    if (restoring) { // the page of results, too, which the form does not know
      restoring = false;
      detail.restored = true;
      detail.path = here();
      for (const name of Object.keys(detail.parameters)) delete detail.parameters[name];
    } else if (!asked()) {
      delete detail.parameters.q;
    }
  });

  document.addEventListener("htmx:beforeSend", () => { waiting += 1; });
  document.addEventListener("htmx:afterRequest", () => { waiting = 0; });

  // --- what comes ---

  document.addEventListener("htmx:beforeSwap", (event) => {
    const {detail} = event, ours = detail.serverResponse.includes('id="answer"');
    detail.shouldSwap = ours; // a refusal of ours, too, which says what to do
    detail.isError = false;
    if (!ours && detail.xhr.status < 400) location.assign(detail.pathInfo.finalRequestPath); // signed out meanwhile
    else if (!ours) unanswered();
  });

  document.addEventListener("htmx:afterSwap", ({detail}) => {
    shown = detail.pathInfo.finalRequestPath;
    waiting = 0;
    if (!restoring && !detail.requestConfig.restored) history.replaceState(null, "", shown);
    if (detail.requestConfig.elt === form) settle();
    if (detail.requestConfig.elt === form || detail.requestConfig.restored || written()) putRight();
    for (const link of document.querySelectorAll("nav a[href*='next=']")) {
      link.href = link.href.replace(/next=[^&]*/, "next=" + encodeURIComponent(here()));
    }
    say(answer().dataset.said.trim());
  });

  // A word is put right once it is written: with a space behind it, or Enter, or where the page is no answer to typing.
  const written = () => /\s$/u.test(box.value);
  function putRight() {
    for (const one of answer().querySelectorAll(".suggestion")) one.hidden = one.matches(".so-far");
  }
  box.addEventListener("input", () => { if (written() && isShown()) putRight(); });

  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, unanswered);

  function unanswered() {
    delete answer().dataset.question; // the same can be asked again
    answer().replaceChildren(document.getElementById("unanswered").content.cloneNode(true));
  }

  // Who types is not interrupted: only what stays for a moment is said.
  let saying = 0;
  function say(text) {
    clearTimeout(saying);
    saying = setTimeout(() => { document.getElementById("said").textContent = text; }, 700);
  }

  // --- the address ---

  // What is typed has the address, but no entry of its own in the history. Enter, or following a result, makes one.
  function settle() {
    const now = location.href;
    if (now !== settled) {
      history.replaceState(null, "", settled);
      history.pushState(null, "", now);
      settled = now;
    }
    remember();
    if (matchMedia("(pointer: coarse)").matches && document.activeElement === box) box.blur(); // the keys cover results
  }

  function remember() {
    const question = answer().dataset.question;
    if (question && answer().querySelector(".found")) document.dispatchEvent(new CustomEvent("searched", {detail: question}));
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("#answer a[href]")) settle();
  }, true);

  addEventListener("popstate", () => {
    settled = location.href;
    if (here() === shown) return; // to another place of the same page
    box.value = new URLSearchParams(location.search).get("q") || "";
    restoring = true;
    htmx.trigger(box, "again");
  });

  // --- the keyboard ---

  const STOPS = ".found h2 a, .found .where a, .examples a, recent-searches a";
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement, inBox = at === box;
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (!inBox && !at.closest(".found, .examples, recent-searches")) return;
    if (event.key === "Escape") {
      event.preventDefault();
      if (inBox && box.value) {
        box.value = "";
        box.dispatchEvent(new Event("input", {bubbles: true}));
      }
      box.focus();
      return;
    }
    const down = event.key === "ArrowDown";
    if (!down && (event.key !== "ArrowUp" || inBox)) return;
    const stops = [...answer().querySelectorAll(STOPS)].filter((one) => one.checkVisibility());
    const side = down ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
    const ahead = stops.filter((one) => one !== at && at.compareDocumentPosition(one) & side);
    const next = down ? ahead[0] : ahead.at(-1) || box;
    if (!next) return;
    event.preventDefault();
    (next.closest("li") || next).scrollIntoView({block: "nearest"});
    next.focus({preventScroll: next !== box});
  });

  remember();
})();
