// "Why this result?" opens below the passage, and closes when it is pressed again. Where that fails, the link is followed.
for (const name of ["DOMContentLoaded", "htmx:afterSwap"]) {
  document.addEventListener(name, () => {
    for (const link of document.querySelectorAll("a.why:not([aria-expanded])")) link.setAttribute("aria-expanded", "false");
  });
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a.why");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.hasAttribute("aria-busy")) return;
  const open = document.getElementById(link.getAttribute("aria-controls"));
  if (open) {
    open.remove();
    link.removeAttribute("aria-controls");
    link.setAttribute("aria-expanded", "false");
    return;
  }
  link.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(link.href + "&fragment=1");
    if (!response.ok || response.redirected) throw new Error(response.statusText);
    const below = document.createElement("div");
    below.id = "why-" + new URL(link.href).searchParams.get("passage");
    below.innerHTML = await response.text(); // ours, with all text in it escaped
    (link.closest(".more") || link).after(below);
    link.setAttribute("aria-controls", below.id);
    link.setAttribute("aria-expanded", "true");
  } catch {
    location.assign(link.href);
  } finally {
    link.removeAttribute("aria-busy");
  }
});

// "Copy link" copies the address of a passage, without what was asked. On plain http the browser lets only a field be copied.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const address = new URL(button.dataset.link, location.href).href, before = button.textContent;
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    const field = document.createElement("textarea");
    field.value = address;
    button.after(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    button.focus();
    if (!copied) return void prompt(before, address);
  }
  if (button.classList.contains("done")) return;
  button.classList.add("done");
  button.textContent = document.getElementById("said").textContent = button.dataset.copied;
  setTimeout(() => {
    button.classList.remove("done");
    button.textContent = before;
    document.getElementById("said").textContent = "";
  }, 2000);
});
