// Files and folders, chosen or dropped anywhere on the upload page, are listed, then sent a few at a time.
// The server knows a file of an upload by its path, so that one that is sent twice is there once.
(() => {
  const GROUP_FILES = 25, GROUP_BYTES = 4 * 1024 * 1024, AT_ONCE = 3, WAITS_MS = [1000, 3000], KB = 1024, MB = 1024 * KB, GB = 1024 * MB;
  const form = document.getElementById("upload-form");
  const section = document.getElementById("sending");
  if (!form || !section) return;
  const words = section.dataset;
  const list = section.querySelector(".chosen");
  const inZone = form.querySelector(".drop-count");
  const line = section.querySelector(".overall-line"), bar = section.querySelector(".overall progress");
  const errors = document.getElementById("upload-errors"), alarm = section.querySelector(".errornote");
  const buttons = Object.fromEntries([...section.querySelectorAll("[data-do]")].map((b) => [b.dataset.do, b]));
  const links = Object.fromEntries([...section.querySelectorAll("[data-to]")].map((a) => [a.dataset.to, a]));
  const zone = form.querySelector(".dropzone");
  const chosen = new Map(); // path -> entry: {path, file, over, row, word, bar, state, sent}; sent: bytes
  const requests = new Set();
  let phase = "choosing"; // then "beginning", "sending", "over"
  let halted = ""; // why no more is sent: "signed-out", "cancelling" here, "cancelled" by somebody else
  let upload = null; // {page, files, cancel}: addresses
  let reading = Promise.resolve(); // dropped folders being looked through

  // --- words and numbers ---
  const language = document.documentElement.lang;
  const whole = new Intl.NumberFormat(language);
  const tenths = new Intl.NumberFormat(language, {minimumFractionDigits: 1, maximumFractionDigits: 1});
  const bytesOnly = new Intl.NumberFormat(language, {style: "unit", unit: "byte", unitDisplay: "long"});
  const number = (n) => whole.format(n);
  function sized(bytes) { // as Django's filesizeformat
    if (bytes < KB) return bytesOnly.format(bytes).replace(/(\d)\s*(\D+)$/, "$1\u00a0$2"); // Chinese has no space there
    const [unit, name] = [[GB, "GB"], [MB, "MB"], [KB, "KB"]].find(([least]) => bytes >= least);
    return `${tenths.format(bytes / unit)}\u00a0${name}`;
  }
  const say = (template, values) => template.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

  function cookie(name) {
    const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
  }
  // From the cookie, which is a new one after signing in again in another tab.
  const token = () => cookie("csrftoken") || form.elements.csrfmiddlewaretoken.value;

  // --- the list ---
  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function unlike(path) {
    const dot = path.lastIndexOf(".") > path.lastIndexOf("/") + 1 ? path.lastIndexOf(".") : path.length;
    for (let n = 2; ; n++) {
      const other = `${path.slice(0, dot)} (${n})${path.slice(dot)}`;
      if (!chosen.has(other)) return other;
    }
  }

  function add(file, path) {
    if (phase !== "choosing" || path.split("/").some((part) => part.startsWith("."))) return;
    const there = chosen.get(path);
    if (there && there.file.size === file.size && there.file.lastModified === file.lastModified) return;
    const entry = {path: there ? unlike(path) : path, file, sent: 0};
    entry.row = element("li", "");
    entry.word = element("span", "word");
    const remove = element("button", "remove", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", say(words.remove, entry));
    const shown = element("span", "path", entry.path), size = element("span", "size", sized(file.size));
    entry.row.append(shown, size, entry.word, remove);
    entry.row.entry = entry;
    chosen.set(entry.path, entry);
    const archive = entry.path.toLowerCase().endsWith(".zip");
    entry.over = file.size > Number(archive ? form.dataset.archiveLimitMb : form.dataset.limitMb) * MB;
    if (entry.over) become(entry, "too-large", archive ? words.archiveTooLarge : words.tooLarge);
    else become(entry, "waiting", "");
    list.append(entry.row);
  }

  function become(entry, state, sentence) {
    entry.state = state;
    entry.row.className = `is-${state}`;
    entry.word.textContent = sentence;
    if (state === "sending") { // a bar costs more than the rest of its row: only some have one at a time
      entry.bar ||= element("progress", "");
      entry.word.before(entry.bar);
    } else {
      entry.bar?.remove();
    }
    if (state === "taken" || state === "refused") entry.sent = weight(entry);
    if (state === "unsent" || state === "waiting") entry.sent = 0;
    show();
  }

  const weight = (entry) => entry.over ? 0 : entry.file.size; // bytes to send; of a file over the limit none is sent

  let drawing = 0;
  function show() { // however many events there are, once a frame
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      const before = phase === "choosing" || phase === "beginning";
      let total = 0, size = 0, done = 0, refused = 0, sent = 0;
      for (const entry of chosen.values()) {
        if (before && entry.over) continue;
        total += 1;
        size += weight(entry);
        sent += entry.sent;
        if (entry.state === "taken") done += 1;
        if (entry.state === "refused") refused += 1;
      }
      section.hidden = phase === "choosing" && !chosen.size;
      const [template, one] = before ? [words.counted, words.countedOne] : [words.progress, words.progressOne];
      const values = {done: number(done), total: number(total), sent: sized(sent), size: sized(size)};
      line.textContent = total ? say(total === 1 ? one : template, values) : words.noneFits;
      inZone.hidden = !before || !chosen.size; // what is chosen, since the list itself may lie below what is seen
      inZone.textContent = before ? line.textContent : "";
      bar.hidden = before;
      bar.max = size + total || 1; // empty files count, too
      bar.value = sent + done + refused;
    });
  }

  // --- choosing and dropping ---
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      for (const file of input.files) add(file, file.webkitRelativePath || file.name);
      input.value = ""; // they are in the list now, and the same ones may be chosen again
    });
  }

  list.addEventListener("click", (event) => {
    const row = event.target.closest("button.remove")?.closest("li");
    if (!row || phase !== "choosing") return;
    chosen.delete(row.entry.path);
    (row.nextElementSibling || row.previousElementSibling)?.querySelector("button.remove").focus();
    row.remove();
    show();
  });

  async function look(entry, folder) {
    const path = folder + entry.name;
    if (entry.name.startsWith(".")) return;
    if (entry.isFile) {
      add(await new Promise((found, failed) => entry.file(found, failed)), path);
      return;
    }
    const reader = entry.createReader();
    for (;;) { // it gives some at a time, and nothing at the end
      const some = await new Promise((found, failed) => reader.readEntries(found, failed));
      if (!some.length) return;
      for (const one of some) await look(one, `${path}/`);
    }
  }

  const brings = (event) => [...event.dataTransfer.types].includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    zone.classList.toggle("over", phase === "choosing");
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("over");
  });
  window.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault(); // or the browser would leave the page to show the file
    zone.classList.remove("over");
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    // All are asked for now: the list is empty once this event is over.
    const found = items.map((item) => item.webkitGetAsEntry?.() || item.getAsFile()).filter(Boolean);
    reading = reading.then(async () => {
      for (const one of found) {
        try {
          if (one instanceof File) add(one, one.name);
          else await look(one, "");
        } catch (error) {
          complain([`${one.name}: ${error.message}`]);
        }
      }
    });
  });

  // A list proposes values for the whole field; ours are the tag after the last comma.
  const tags = form.elements.tags, options = [...document.querySelectorAll("#known-tags option")];
  const known = options.map((option) => option.value);
  tags.addEventListener("input", () => {
    const before = tags.value.slice(0, tags.value.search(/[^,，、;；]*$/));
    options.forEach((option, n) => { option.value = before ? `${before.trimEnd()} ${known[n]}` : known[n]; });
  });

  // --- sending ---
  function complain(sentences) {
    errors.replaceChildren(...sentences.map((sentence) => element("li", "", sentence)));
    errors.hidden = !sentences.length;
  }

  function warn(sentence) {
    alarm.textContent = sentence;
    alarm.hidden = !sentence;
  }

  // Resolves to {status, answer}: answer is the JSON, or null; status 0 where the network failed, 403 where one is signed
  // out, or is no editor any more: then there is nothing at that address (404), or a page to sign in on.
  function post(address, body, onProgress) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      requests.add(request);
      request.open("POST", address);
      request.setRequestHeader("X-CSRFToken", token());
      request.setRequestHeader("Accept", "application/json");
      if (onProgress) request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
      request.addEventListener("loadend", () => {
        requests.delete(request);
        let answer = null;
        try { answer = JSON.parse(request.responseText); } catch { /* a page, and no answer to this */ }
        const elsewhere = request.status && new URL(request.responseURL).pathname !== new URL(address, location.href).pathname;
        resolve({status: (elsewhere && !answer) || request.status === 404 ? 403 : request.status, answer});
      });
      request.send(body);
    });
  }

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  function* groups(entries) {
    let group = [], bytes = 0;
    for (const entry of entries) {
      if (group.length && (group.length === GROUP_FILES || bytes + weight(entry) > GROUP_BYTES)) {
        yield group;
        [group, bytes] = [[], 0];
      }
      group.push(entry);
      bytes += weight(entry);
    }
    if (group.length) yield group;
  }

  function progressed(group, share) {
    let bytes = share * group.reduce((sum, entry) => sum + weight(entry), 0);
    for (const entry of group) {
      entry.sent = Math.min(weight(entry), Math.max(0, bytes));
      bytes -= weight(entry);
      entry.bar.value = weight(entry) ? entry.sent / weight(entry) : share;
    }
    show();
  }

  async function sendGroup(group) {
    const body = new FormData();
    for (const entry of group) {
      become(entry, "sending", "");
      if (entry.over) { // only told of, so that the upload has its refusal, too
        body.append("paths_kept_back", entry.path);
        body.append("sizes", entry.file.size);
      } else {
        body.append("files", entry.file, entry.path.split("/").pop());
        body.append("paths", entry.path);
      }
    }
    const answered = [...group.filter((entry) => !entry.over), ...group.filter((entry) => entry.over)];
    for (let attempt = 0; !halted; attempt++) {
      const {status, answer} = await post(upload.files, body, (share) => progressed(group, share));
      if (answer?.files) {
        answer.files.forEach(({refused}, n) => become(answered[n], refused ? "refused" : "taken", refused || words.taken));
        return;
      }
      if (answer?.cancelled) halted ||= "cancelled";
      else if (status === 403) halted ||= "signed-out";
      const lost = status === 0 || status >= 500;
      if (halted || !lost || attempt === WAITS_MS.length) {
        if (!halted) warn(lost ? words.network : words.fault);
        break;
      }
      await pause(WAITS_MS[attempt]);
    }
    for (const entry of group) become(entry, "unsent", words.notSent);
  }

  async function send() {
    [phase, halted] = ["sending", ""];
    warn("");
    form.hidden = true;
    const title = document.getElementById("sending-title");
    title.textContent = words.sending;
    section.hidden = false;
    buttons.again.hidden = links.page.hidden = links["sign-in"].hidden = true;
    buttons.cancel.hidden = false;
    const open = [...chosen.values()].filter((entry) => !["taken", "refused"].includes(entry.state));
    const entries = open.sort((one, other) => one.path < other.path ? -1 : 1);
    for (const entry of entries) become(entry, "waiting", words.waiting);
    list.append(...entries.map((entry) => entry.row));
    const waiting = groups(entries);
    await Promise.all(Array.from({length: AT_ONCE}, async () => {
      for (const group of waiting) { // shared: each takes the next
        if (halted) for (const entry of group) become(entry, "unsent", words.notSent);
        else await sendGroup(group);
      }
    }));
    phase = "over";
    show();
    if (halted !== "cancelling") finish(title);
  }

  const count = (state) => [...chosen.values()].filter((entry) => entry.state === state).length;

  function finish(title) {
    const left = count("unsent"), refused = count("refused");
    if (!left || halted === "cancelled") {
      title.textContent = refused ? say(refused === 1 ? words.sentButOne : words.sentBut, {n: number(refused)}) : words.sent;
      location.assign(upload.page);
      return;
    }
    title.textContent = say(left === 1 ? words.stoppedOne : words.stopped, {n: number(left)});
    const order = {unsent: 0, refused: 1}; // what there is to do something about comes first
    const place = (entry) => order[entry.state] ?? 2;
    list.append(...[...chosen.values()].sort((one, other) => place(one) - place(other)).map((entry) => entry.row));
    if (halted === "signed-out") warn(words.signedOut);
    links["sign-in"].hidden = halted !== "signed-out";
    buttons.cancel.hidden = true;
    buttons.again.hidden = false;
    links.page.href = upload.page;
    links.page.hidden = false;
  }

  buttons.again.addEventListener("click", send);
  buttons.cancel.addEventListener("click", async () => {
    halted = "cancelling";
    buttons.cancel.disabled = true;
    for (const request of requests) request.abort();
    const {status} = await post(upload.cancel, new FormData());
    phase = "over";
    if (status) location.assign(upload.page);
    else {
      warn(words.network);
      buttons.cancel.disabled = false;
    }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (phase !== "choosing") return;
    await reading;
    if (phase !== "choosing") return; // pressed twice while folders were read
    if (chosen.size && chosen.size === count("too-large") && !form.elements.addresses.value.trim()) {
      complain([words.noneFits]);
      return;
    }
    phase = "beginning"; // pressed twice, it is begun once
    const body = new FormData();
    for (const name of ["collection", "tags", "addresses"]) body.append(name, form.elements[name].value);
    body.append("announced", chosen.size);
    const {status, answer} = await post(form.dataset.begin, body);
    if (!answer?.files) {
      phase = "choosing";
      complain(answer?.errors || [status === 403 ? words.signedOut : status ? words.fault : words.network]);
      errors.scrollIntoView({block: "nearest"});
      return;
    }
    complain([]);
    upload = answer;
    send();
  });

  window.addEventListener("beforeunload", (event) => {
    if (phase === "sending") event.preventDefault();
  });
})();
