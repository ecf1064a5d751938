// Folds open for a link that leads into them; a box that scrolls sideways can be reached and says what it is.

const LABELS = {
  ".printed pre.aligned": "Printed lines, scroll sideways",
  ".printed .printed-table": "Printed table, scrolls sideways",
  ".bd-article .pst-scrollable-table-container": "Table, scrolls sideways",
};

function reveal() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  if (!target) return;
  let opened = false;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
    opened ||= !fold.open;
    fold.open = true;
  }
  if (opened) target.scrollIntoView();
}

function name(box) {
  const scrolls = box.scrollWidth > box.clientWidth + 1;
  if (!scrolls) {
    for (const attribute of ["tabindex", "role", "aria-label"]) box.removeAttribute(attribute);
    return;
  }
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", Object.entries(LABELS).find(([boxes]) => box.matches(boxes))[1]);
}

addEventListener("hashchange", reveal);
reveal();

const sizes = new ResizeObserver((entries) => entries.forEach((entry) => name(entry.target)));
document.querySelectorAll(Object.keys(LABELS).join()).forEach((box) => sizes.observe(box));
