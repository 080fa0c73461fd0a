// Searches that were made in this browser, offered before anything is asked. They stay in it, and go with whoever made
// them: somebody else who signs in or out here finds none. An element of its own is filled while the page is read, so
// that nothing below it moves.
(() => {
  const KEY = "searchsite-recent", MOST = 6;
  const user = document.currentScript.dataset.user;

  function read() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) || "{}");
      if (kept.user === user && Array.isArray(kept.questions)) return kept.questions.filter((one) => typeof one === "string");
      localStorage.removeItem(KEY);
    } catch { /* no storage, or something else in it: nothing is offered */ }
    return [];
  }

  function write(questions) {
    try {
      if (questions.length) localStorage.setItem(KEY, JSON.stringify({user, questions: questions.slice(0, MOST)}));
      else localStorage.removeItem(KEY);
    } catch { /* as above */ }
  }

  document.addEventListener("searched", (event) => {
    write([event.detail, ...read().filter((one) => one !== event.detail)]);
  });

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  customElements.define("recent-searches", class extends HTMLElement {
    connectedCallback() {
      const questions = read(), words = this.dataset;
      if (!questions.length) return this.replaceChildren();
      const forget = (question) => {
        write(question === undefined ? [] : read().filter((one) => one !== question));
        this.connectedCallback();
        (this.querySelector("button") || document.getElementById("q")).focus();
      };
      const rows = questions.map((question) => element("li", {},
        element("a", {href: "?q=" + encodeURIComponent(question), lang: ""}, question),
        element("button", {type: "button", title: words.forget, ariaLabel: `${words.forget}: ${question}`, onclick: () => forget(question)}, "×"),
      ));
      this.replaceChildren(
        element("h2", {}, words.title),
        element("ul", {}, ...rows),
        element("p", {}, words.kept + " ", element("button", {type: "button", className: "all", onclick: () => forget()}, words.forgetAll)),
      );
    }
  });

  read(); // what somebody else left goes now, whether it would be shown or not
})();
