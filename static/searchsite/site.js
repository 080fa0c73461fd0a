// "/" goes to the question box, as people know it from other search pages.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const box = document.getElementById("q");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// N and P, or J and K, go to the next and the previous passage of the document that answers the question.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const way = {n: "next", j: "next", p: "prev", k: "prev"}[event.key];
  const link = way && document.querySelector(`.matches a[rel=${way}]`);
  if (link) link.click();
});

// A long outline shows where the passage is, also when that is far down in it. The page itself must not move.
document.addEventListener("DOMContentLoaded", () => {
  const here = document.querySelector(".outline [aria-current]"), list = here && here.closest("nav");
  if (list) list.scrollTop += here.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 2;
});

// The searches that this browser remembers (recent.js) go with whoever signs out.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[action$='/sign-out/']")) return;
  try { localStorage.removeItem("searchsite-recent"); } catch { /* no storage, nothing in it */ }
});
