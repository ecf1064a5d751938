/* A quiet mark beside what was read, kept in this browser (localStorage) and sent nowhere.

   A chapter counts as read when its last heading has come into view after half a minute on the page. Where the
   browser keeps nothing, nothing is shown. */
(() => {
  const KEY = "explanation:read", LEAST = 30_000;
  const here = location.pathname.match(/notebooks\/([\w-]+)\.html$/)?.[1];

  function load() {
    try { return JSON.parse(localStorage.getItem(KEY)) || {}; } catch { return {}; }
  }

  function save(read) {
    try { localStorage.setItem(KEY, JSON.stringify(read)); } catch { /* the mark lasts as long as the page */ }
  }

  let read = load();

  function mark() {
    for (const link of document.querySelectorAll(".bd-links a[href], .chapter-table a[href]")) {
      const stem = new URL(link.href).pathname.match(/notebooks\/([\w-]+)\.html$/)?.[1] ?? (link.getAttribute("href") === "#" ? here : null);
      const known = stem && stem in read;
      link.classList.toggle("is-read", Boolean(known));
      link.querySelector(".read-mark")?.remove();
      if (known) {
        const said = Object.assign(document.createElement("span"), {className: "read-mark", textContent: " ✓"});
        said.setAttribute("aria-label", "read");
        said.setAttribute("role", "img");
        link.append(said);
      }
    }
    const line = document.querySelector(".chapter-line");
    line?.querySelector(".read-line")?.remove();
    if (line && here in read) {
      const said = Object.assign(document.createElement("span"), {className: "read-line", textContent: " You have read it. "});
      said.append(button("Unmark", () => { delete read[here]; save(read); mark(); }));
      line.append(said);
    }
    document.querySelector(".forget-read")?.remove();
    const table = [...document.querySelectorAll(".chapter-table")].at(-1);
    if (table && Object.keys(read).length) {
      const row = Object.assign(document.createElement("p"), {className: "forget-read", textContent: "✓ read. "});
      row.append(button("Forget what was read", () => { read = {}; save(read); mark(); }));
      table.after(row);
    }
  }

  function button(text, act) {
    const made = Object.assign(document.createElement("button"), {type: "button", className: "quiet-button", textContent: text});
    made.addEventListener("click", act);
    return made;
  }

  // The theme puts the contents back where they stood; the page that is open must be in sight.
  addEventListener("load", () => setTimeout(() => {
    const bar = document.querySelector(".bd-sidebar-primary"), current = bar?.querySelector(".current.active > a, .current > a.current");
    if (!current || !bar.clientHeight) return;
    const {top, bottom} = current.getBoundingClientRect(), frame = bar.getBoundingClientRect();
    if (top < frame.top || bottom > Math.min(frame.bottom, innerHeight)) bar.scrollTop += top - frame.top - frame.height / 2;
  }));

  mark();
  const last = [...document.querySelectorAll(".bd-article h2")].at(-1);
  if (here && !(here in read) && last && "IntersectionObserver" in window) {
    const since = Date.now();
    const watch = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      const left = LEAST - (Date.now() - since);
      const done = () => { read = {...load(), [here]: new Date().toISOString().slice(0, 10)}; save(read); mark(); };
      if (left <= 0) { done(); watch.disconnect(); } else setTimeout(() => { watch.unobserve(last); watch.observe(last); }, left);
    });
    watch.observe(last);
  }
})();
