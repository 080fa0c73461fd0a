// While something in a [data-live] element is being worked on, fetch this page again and show what has changed in it.
(() => {
  const EVERY_MS = 2000;
  const BUSY = ".state-queued, .state-running, .state-building, progress, [data-busy]";
  let timer = 0;

  const live = () => [...document.querySelectorAll("[data-live][id]")];
  const busy = () => live().some((element) => element.matches(BUSY) || element.querySelector(BUSY));
  const ticked = () => live().some((element) => element.querySelector("input:checked"));

  // Only what differs is exchanged, so that what is selected, focused or listened to stays.
  function bring(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    const before = [...old.childNodes], after = [...fresh.childNodes];
    const alike = old.nodeType === Node.ELEMENT_NODE && old.nodeName === fresh.nodeName && before.length === after.length
      && before.length > 0 && old.className === fresh.className
      && ![old, fresh].some((element) => element.hasAttribute("value") || element.hasAttribute("href"));
    if (alike) before.forEach((node, n) => bring(node, after[n]));
    else old.replaceWith(document.adoptNode(fresh));
  }

  async function refresh() {
    timer = 0;
    if (document.hidden || !busy()) return;
    if (!ticked()) { // rows must not change under somebody who is choosing some
      try {
        const answer = await fetch(location.href);
        if (answer.redirected) return; // signed out meanwhile
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          for (const element of live()) {
            const fresh = page.getElementById(element.id);
            if (fresh) bring(element, fresh);
          }
        }
      } catch {
        // The server is away; it is asked again.
      }
    }
    wait();
  }

  function wait() {
    if (!timer && !document.hidden && busy()) timer = setTimeout(refresh, EVERY_MS);
  }

  document.addEventListener("visibilitychange", wait);
  // The admin loads its scripts in the head, before there is anything to look at.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", wait);
  else wait();
})();
