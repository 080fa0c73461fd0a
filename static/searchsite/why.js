// "Why this result?" opens below the passage, and closes when it is pressed again. Where that fails, the link is followed.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll("a.why")) link.setAttribute("aria-expanded", "false");
});

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
