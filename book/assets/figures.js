// Figures enlarge in the page. Each has a link to its file over it, which serves where this does not run.
(() => {
  "use strict";
  const SELECTOR = "a.figure-enlarge";
  const BESIDE = 16; // around the image, in pixels
  let dialog, part, shown, large;

  const links = () => [...document.querySelectorAll(SELECTOR)].filter((link) => link.checkVisibility());
  const image = (link) => link.parentElement.querySelector("img");
  const label = (link) => link.getAttribute("aria-label").replace(/^Enlarge (.)/, (_, c) => c.toUpperCase());

  function build() {
    dialog = document.createElement("dialog");
    dialog.className = "figure-dialog";
    dialog.setAttribute("aria-labelledby", "figure-dialog-name");
    const button = (name, text, path) =>
      `<button type="button" class="figure-dialog-${name}" aria-label="${text}" title="${text}">` +
      `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg></button>`;
    dialog.innerHTML =
      '<div class="figure-dialog-bar"><p id="figure-dialog-name" aria-live="polite"></p>' +
      button("previous", "Previous figure", "M15 5l-7 7 7 7") +
      button("next", "Next figure", "M9 5l7 7-7 7") +
      button("zoom", "Show the whole figure", "M4 9V4h5M20 15v5h-5M4 4l6 6M20 20l-6-6") +
      button("close", "Close", "M5 5l14 14M19 5L5 19") +
      '</div><div class="figure-dialog-stage" role="group"><span class="figure-plate"><img alt=""></span></div>' +
      '<p class="figure-dialog-caption"></p>';
    part = (name) => dialog.querySelector(name.startsWith("#") ? name : `.figure-dialog-${name}`);
    document.body.append(dialog);
    part("previous").addEventListener("click", () => step(-1));
    part("next").addEventListener("click", () => step(1));
    part("zoom").addEventListener("click", () => zoom());
    part("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target.closest("img")) zoom(event);
      else if (event.target === part("stage") || event.target === dialog || event.target.closest("a")) dialog.close();
    });
    dialog.addEventListener("keydown", keys);
    dialog.addEventListener("close", () => shown.focus());
    addEventListener("resize", () => dialog.open && fit(large));
  }

  // How many times its size on the page an image can be shown: whole in the window, and across it.
  function scales() {
    const view = dialog.querySelector("img"), stage = part("stage"), width = +view.width0, height = +view.height0;
    const most = Math.max(view.naturalWidth / width, 2);
    const across = (stage.clientWidth - 2 * BESIDE) / width, down = (stage.clientHeight - 2 * BESIDE) / height;
    return { whole: Math.min(across, down, most), across: Math.max(1, Math.min(across, most)) };
  }

  function fit(wanted) {
    const view = dialog.querySelector("img"), stage = part("stage"), { whole, across } = scales();
    const choice = across > whole * 1.05;
    large = choice && wanted;
    view.style.width = `${Math.floor(view.width0 * (large ? across : whole))}px`;
    view.classList.toggle("can-zoom", choice);
    view.classList.toggle("is-large", large);
    part("zoom").hidden = !choice;
    for (const name of ["aria-label", "title"])
      part("zoom").setAttribute(name, large ? "Show the whole figure" : "Show it larger");
    const over = stage.scrollWidth > stage.clientWidth || stage.scrollHeight > stage.clientHeight;
    if (over) stage.tabIndex = 0;
    else stage.removeAttribute("tabindex");
  }

  // Between the whole figure and its larger form; what was clicked stays under the pointer.
  function zoom(event) {
    const view = dialog.querySelector("img"), stage = part("stage"), before = view.getBoundingClientRect();
    if (!view.classList.contains("can-zoom")) return;
    const x = event ? (event.clientX - before.left) / before.width : 0.5;
    const y = event ? (event.clientY - before.top) / before.height : 0.5;
    fit(!large);
    const after = view.getBoundingClientRect(), middle = stage.getBoundingClientRect();
    stage.scrollBy(
      after.left + x * after.width - (event ? event.clientX : middle.left + middle.width / 2),
      after.top + y * after.height - (event ? event.clientY : middle.top + middle.height / 2),
    );
  }

  function show(link) {
    shown = link;
    const from = image(link), view = dialog.querySelector("img");
    const caption = link.closest("figure, .captioned")?.querySelector(".caption-text")?.cloneNode(true);
    const number = caption?.querySelector(".caption-number");
    if (number) {
      number.nextSibling.data = number.nextSibling.data.trimStart();
      number.remove();
    }
    caption?.querySelectorAll("[id]").forEach((e) => e.removeAttribute("id"));
    view.width0 = from.getAttribute("width");
    view.height0 = from.getAttribute("height");
    view.alt = from.alt;
    view.className = from.classList.contains("only-dark") ? "only-dark" : "";
    view.src = link.href;
    view.style.aspectRatio = `${view.width0} / ${view.height0}`;
    part("#figure-dialog-name").textContent = label(link);
    part("stage").setAttribute("aria-label", `${label(link)}, enlarged`);
    part("caption").replaceChildren(...(caption?.childNodes || []));
    const all = links(), at = all.indexOf(link);
    for (const [name, other] of [["previous", all[at - 1]], ["next", all[at + 1]]]) {
      part(name).hidden = all.length < 2;
      part(name).setAttribute("aria-disabled", String(!other));
    }
    const settle = () => {
      const { whole } = scales();
      fit(whole < 0.62);  // a desk shows the whole figure, a phone its words
      part("stage").scrollTo(0, 0);
    };
    settle();
    if (!view.complete) view.addEventListener("load", settle, { once: true });
  }

  function step(by) {
    const all = links(), link = all[all.indexOf(shown) + by];
    if (link) show(link);
  }

  function open(link) {
    if (!dialog) build();
    dialog.showModal();
    show(link);
    part("close").focus();
  }

  function keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const stage = part("stage"), inside = event.target === stage;
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const down = { ArrowUp: -60, ArrowDown: 60, PageUp: -0.9 * stage.clientHeight, PageDown: 0.9 * stage.clientHeight };
    if (sideways && !(inside && stage.scrollWidth > stage.clientWidth)) {
      event.preventDefault();
      step(sideways);
    } else if (event.key in down && !inside) {
      event.preventDefault();
      stage.scrollBy(0, down[event.key]);
    } else if (event.key === "Tab") {
      const stops = [...dialog.querySelectorAll("button, a[href], [tabindex]")].filter((e) => e.checkVisibility());
      const end = stops.at(event.shiftKey ? 0 : -1);
      if (document.activeElement === end) {
        event.preventDefault();
        stops.at(event.shiftKey ? -1 : 0).focus();
      }
    }
  }

  for (const link of document.querySelectorAll(SELECTOR)) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-haspopup", "dialog");
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(SELECTOR);
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(link);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches?.(SELECTOR)) return;
    event.preventDefault();
    event.target.click();
  });
})();
