// Files may be dropped anywhere on the upload page; what was chosen is listed before it is sent.
(() => {
  const form = document.getElementById("upload-form");
  const input = form && form.querySelector("input[type=file]");
  if (!input) return;
  const zone = form.querySelector(".dropzone");
  const list = form.querySelector(".chosen");
  const limit = Number(form.dataset.limitMb) * 1024 * 1024;
  form.querySelector(".drop-hint").hidden = false;

  function show() {
    list.replaceChildren(...[...input.files].map((file) => {
      const item = document.createElement("li");
      const megabytes = Math.max(0.1, file.size / 1024 / 1024).toFixed(1);
      item.textContent = `${file.name} (${megabytes} MB)`;
      if (file.size > limit) {
        const warning = document.createElement("strong");
        warning.textContent = list.dataset.tooLarge;
        item.append(" ", warning);
      }
      return item;
    }));
  }

  const brings = (event) => [...event.dataTransfer.types].includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  window.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    zone.classList.remove("over");
    input.files = event.dataTransfer.files;
    show();
  });
  input.addEventListener("change", show);
})();
